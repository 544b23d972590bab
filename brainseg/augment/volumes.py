"""Random changes of training volumes (C, X, Y, Z) and their labels (X, Y, Z).

They work on the CPU, in the workers that load data. Every function draws from the generator it is given,
returns new tensors or the very ones it got, and changes nothing where its strength is 0. Those that change
intensities put their result into `out` if that is given, which may be the image itself: new memory costs more
than most of what they compute. Draws happen in a fixed order, so that one seed gives one sample.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from brainseg.augment.geometry import looked_up, random_bend, random_turn
from brainseg.augment.motion import random_motion

Triple = tuple[int, int, int]
BLOCK = 48  # voxels a side
TINY = 1e-30  # the logarithm of 0 would take five times as long
LAYERS = 8  # along X, of which an intensity is changed at a time: they too stay in the processor's cache


@dataclass(frozen=True)
class VolumeAugment:
    """A random patch of a volume, turned, flipped and with other intensities; of plain numbers."""

    patch: Triple | None = None  # voxels; None takes the volume whole
    foreground_share: float = 0.0  # of patches that are centred on a labelled voxel
    affine: float = 0.0  # probability of a rotation and scaling
    rotate_degrees: float = 15.0  # at most, about each axis
    scale: float = 0.1  # from 1 - scale to 1 + scale, the same for all axes
    elastic: float = 0.0  # probability of a smooth displacement
    bend: float = 4.0  # voxels, at most, along each axis
    flip: float = 0.0  # probability for each of flip_axes
    flip_axes: tuple[int, ...] = (0,)  # of X, Y, Z; 0 is left for right
    motion: float = 0.0  # probability of a head that moved while it was scanned
    motion_degrees: float = 10.0  # at most, about each axis
    motion_voxels: float = 5.0  # at most, along each axis
    intensity: float = 0.0  # probability for each of the changes below
    bias: float = 0.3  # logarithm of the strongest field, at most
    gamma: float = 0.3  # logarithm of the exponent, at most
    contrast: float = 0.25  # share by which values spread about their mean, at most
    brightness: float = 0.1  # shift in standard deviations, at most
    noise: float = 0.1  # standard deviation in standard deviations of the channel, at most

    def __call__(self, image: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """A patch (C, *patch) in float32 and its labels, from an image (C, X, Y, Z), half precision too."""
        patch = self.patch or _triple(labels.shape)
        image, labels = pad_to(image, labels, patch)
        start = random_start(labels, patch, generator, foreground_share=self.foreground_share)
        turned, bent = _happens(self.affine, generator), self.elastic and _happens(self.elastic, generator)
        if turned or bent:
            turn = random_turn(
                generator, rotate_degrees=self.rotate_degrees * turned, scale=self.scale * turned
            )
            bend = random_bend(patch, generator, strength=self.bend) if bent else None
            image, labels = turned_crop(image, labels, start, patch, turn, bend)
        else:
            image, labels = crop(image, labels, start, patch)
        image, labels = random_flip(image, labels, generator, probability=self.flip, axes=self.flip_axes)
        image = image.to(torch.float32, copy=not (turned or bent))  # the intensities are changed in place
        if self.motion and _happens(self.motion, generator):
            image = random_motion(image, generator, degrees=self.motion_degrees, voxels=self.motion_voxels)
        return self._intensities(image, generator), labels

    def _intensities(self, image: Tensor, generator: Generator) -> Tensor:
        for change, strength in (
            (random_bias_field, self.bias),
            (random_gamma, self.gamma),
            (random_contrast, self.contrast),
            (random_brightness, self.brightness),
            (random_noise, self.noise),
        ):
            if _happens(self.intensity, generator):
                image = change(image, generator, strength=strength, out=image)
        return image


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
    per_layer = _labelled_per_layer(labels) if _happens(foreground_share, generator) else [0]
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
    return [int(layer.count_nonzero()) for layer in labels]


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
    # Of a block both the places and the voxels around them stay in the processor's cache.
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
    flipped = [axis for axis in axes if _happens(probability, generator)]
    if not flipped:
        return image, labels
    return image.flip([axis + 1 for axis in flipped]), labels.flip(flipped)


def random_bias_field(
    image: Tensor, generator: Generator, *, strength: float, order: int = 3, out: Tensor | None = None
) -> Tensor:
    """Each channel times the exponential of a smooth random polynomial within +-strength.

    What is multiplied is the height above the channel's minimum, so that an empty background stays as it is.
    """
    if strength == 0:
        return image
    x, y, z = (torch.linspace(-1, 1, side)[:, None] ** torch.arange(order + 1) for side in image.shape[1:])
    coefficients = 2 * torch.rand(len(image), *(order + 1,) * 3, generator=generator) - 1
    coefficients /= coefficients.abs().sum(
        dim=(1, 2, 3), keepdim=True
    )  # so that the polynomial stays in [-1, 1]
    changed = torch.empty_like(image) if out is None else out
    for channel, into, own in zip(image, changed, strength * coefficients, strict=True):
        lowest = channel.amin()
        plane = torch.einsum("ijk,yj,zk->iyz", own, y, z).flatten(1)
        for layers, new, powers in zip(*(one.split(LAYERS) for one in (channel, into, x)), strict=True):
            field = (powers @ plane).exp_().view_as(layers)
            torch.addcmul(lowest, layers - lowest, field, out=new)
    return changed


def random_gamma(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel, between its own minimum and maximum, to the power of exp(+-strength) at most."""
    if strength == 0:
        return image
    exponents = (strength * _signed_per_channel(image, generator)).exp()
    changed = torch.empty_like(image) if out is None else out
    for channel, into, exponent in zip(image, changed, exponents, strict=True):
        lowest, highest = channel.aminmax()
        extent = (highest - lowest).clamp_min(1e-8)
        for layers, new in zip(channel.split(LAYERS), into.split(LAYERS), strict=True):
            torch.sub(layers, lowest, out=new).div_(extent).clamp_min_(TINY)
            new.log_().mul_(exponent).exp_()  # to the power of the exponent, in half the time of `pow`
            new.mul_(extent).add_(lowest)
    return changed


def random_contrast(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel spread about its mean by a factor from 1 - strength to 1 + strength."""
    if strength == 0:
        return image
    mean = image.mean(dim=(1, 2, 3), keepdim=True)
    factor = 1 + strength * _signed_per_channel(image, generator)
    return torch.addcmul(mean * (1 - factor), image, factor, out=out)


def random_brightness(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel shifted by at most that many of its standard deviations."""
    if strength == 0:
        return image
    shift = strength * _signed_per_channel(image, generator) * _deviation(image)
    return torch.add(image, shift, out=out)


def random_noise(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel with Gaussian noise of at most that many of its standard deviations."""
    if strength == 0:
        return image
    amounts = strength * torch.rand(len(image), 1, 1, 1, generator=generator) * _deviation(image)
    changed, noise = torch.empty_like(image) if out is None else out, torch.empty_like(image[0, :LAYERS])
    for channel, into, amount in zip(image, changed, amounts, strict=True):
        for layers, new in zip(channel.split(LAYERS), into.split(LAYERS), strict=True):
            torch.addcmul(layers, noise[: len(layers)].normal_(generator=generator), amount, out=new)
    return changed


def _happens(probability: float, generator: Generator) -> bool:
    return bool(torch.rand((), generator=generator) < probability)


def _signed_per_channel(image: Tensor, generator: Generator) -> Tensor:
    return 2 * torch.rand(len(image), 1, 1, 1, generator=generator) - 1


def _integer(below: int, generator: Generator) -> int:
    return int(torch.randint(below, (), generator=generator))


def _triple(values: Iterable[int]) -> Triple:
    x, y, z = values
    return x, y, z


def _deviation(image: Tensor) -> Tensor:
    """Standard deviation of each channel, (C, 1, 1, 1); channel by channel it is several times faster."""
    return torch.stack([channel.std(correction=0) for channel in image]).view(-1, 1, 1, 1)
