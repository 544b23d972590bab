"""Patches of training volumes (C, X, Y, Z) and their labels (X, Y, Z): drawn, cut out, turned and flipped.

Draws happen in a fixed order, so that one seed gives one sample.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from brainseg.augment.geometry import looked_up

Triple = tuple[int, int, int]
BLOCK = 48  # voxels a side


def pad_to(image: Tensor, labels: Tensor, patch: Triple) -> tuple[Tensor, Tensor]:
    """Both with zeros around them, the same on both sides, where they are smaller than the patch."""
    lacking = [max(side - size, 0) for side, size in zip(patch, labels.shape, strict=True)]
    if not any(lacking):
        return image, labels
    # torch counts axes from the last
    widths = [width for lack in lacking[::-1] for width in (lack // 2, lack - lack // 2)]
    return F.pad(image, widths), F.pad(labels, widths)


def random_start(labels: Tensor, patch: Triple, generator: Generator, *, foreground_share: float) -> Triple:
    """First voxel of a patch that lies in the volume.

    The patch is centred on a random voxel, or as near to it as the volume's border allows: the outermost
    voxels are then in half as many patches as the middle ones, and not in one of dozens. With probability
    `foreground_share` that voxel is a labelled one, if there is any.
    """
    per_layer = _labelled_per_layer(labels) if happens(foreground_share, generator) else [0]
    place = _integer(sum(per_layer) or labels.numel(), generator)
    if any(per_layer):
        centre = _labelled_voxel(labels, per_layer, place)
    else:
        centre = [int(i) for i in torch.unravel_index(torch.tensor(place), labels.shape)]
    return _triple(
        min(max(i - side // 2, 0), size - side)
        for i, side, size in zip(centre, patch, labels.shape, strict=True)
    )


def _labelled_per_layer(labels: Tensor) -> list[int]:
    """How many labelled voxels there are at each X."""
    counts: list[int] = torch.stack([layer.count_nonzero() for layer in labels]).tolist()  # a GPU waits once
    return counts


def _labelled_voxel(labels: Tensor, per_layer: Sequence[int], number: int) -> list[int]:
    """The X, Y and Z of a labelled voxel, counted from 0 with Z fastest; only its layer is searched."""
    for x, n in enumerate(per_layer):
        if number < n:
            return [x, *labels[x].nonzero()[number].tolist()]
        number -= n
    raise IndexError("there are not so many labelled voxels")


def crop(image: Tensor, labels: Tensor, start: Triple, patch: Triple) -> tuple[Tensor, Tensor]:
    """Views of the patch that begins at a voxel."""
    x, y, z = (slice(first, first + side) for first, side in zip(start, patch, strict=True))
    return image[:, x, y, z], labels[x, y, z]


def turned_crop(
    image: Tensor, labels: Tensor, start: Triple, patch: Triple, turn: Tensor, bend: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The patch about the same centre, its axes turned: image interpolated, labels by the nearest voxel.

    `bend` (3, *patch) displaces its places by so many voxels of the volume along X, Y and Z.

    It samples the volume, not the cropped patch, so corners show what is there; beyond the volume its edge
    goes on. Voxels count as cubes: at a very anisotropic spacing a rotation shears.
    """
    middle = torch.tensor([first + (side - 1) / 2 for first, side in zip(start, patch, strict=True)])
    turned, nearest = torch.empty(len(image), *patch), labels.new_empty(patch)
    # Block by block, so that the places and the voxels around them stay in the processor's cache.
    for block in _blocks(patch):
        x, y, z = (
            (torch.arange(side)[part] - (side - 1) / 2).view([-1 if axis == a else 1 for a in range(3)])
            * turn[:, axis, None, None, None]
            for axis, (side, part) in enumerate(zip(patch, block, strict=True))
        )
        places = x + middle[:, None, None, None] + y + z
        if bend is not None:
            places += bend[(slice(None), *block)]
        turned[(slice(None), *block)], nearest[block] = looked_up(image, labels, places)
    return turned, nearest


def _blocks(shape: Triple) -> Iterator[tuple[slice, slice, slice]]:
    x, y, z = ([slice(first, min(first + BLOCK, side)) for first in range(0, side, BLOCK)] for side in shape)
    return itertools.product(x, y, z)


def random_flip(
    image: Tensor,
    labels: Tensor,
    generator: Generator,
    *,
    probability: float,
    axes: Sequence[int] = (0,),
) -> tuple[Tensor, Tensor]:
    """Both mirrored along each of the axes (of X, Y, Z) with that probability."""
    flipped = [axis for axis in axes if happens(probability, generator)]
    if not flipped:
        return image, labels
    return image.flip([axis + 1 for axis in flipped]), labels.flip(flipped)


def happens(probability: float, generator: Generator) -> bool:
    """True with that probability."""
    return bool(torch.rand((), generator=generator) < probability)


def _triple(values: Iterable[int]) -> Triple:
    x, y, z = values
    return x, y, z


def _integer(below: int, generator: Generator) -> int:
    return int(torch.randint(below, (), generator=generator))
