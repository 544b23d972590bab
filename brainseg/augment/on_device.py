"""The changes of `VolumeAugment` for a device: read and drawn by one process, made in batches by another.

The draws are the same, in the same order, so the same seed gives the same sample but for rounding and for the
grains of its noise, which the device draws itself.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from brainseg.augment.geometry import bend_of, nearest
from brainseg.augment.intensities import ORDER, TINY
from brainseg.augment.motion import random_motion
from brainseg.augment.patches import Triple, crop, happens, random_flip
from brainseg.augment.volumes import Drawn, VolumeAugment

Change = Callable[[Tensor, float, Tensor], Tensor]  # images (B, C, X, Y, Z), strength, draws from -1 to 1
SPACE = (2, 3, 4)


class Uncut(NamedTuple):
    """What a patch is made of: the voxels that it may show, and what was drawn for it so far.

    Attributes:
        image: (C, x, y, z) in the numbers that it is kept in; the patch itself where nothing is turned.
        labels: (x, y, z).
        turn: (3, 3), from places in the patch to voxels of these; empty where nothing is turned.
        middle: The patch's centre in these, voxels, (3,).
        nodes: Displacements of control points, (3, i, j, k), voxels; empty where nothing is bent.
        state: Where the sample's random numbers stand.
    """

    image: Tensor
    labels: Tensor
    turn: Tensor
    middle: Tensor
    nodes: Tensor
    state: bytes


def read_uncut(augment: VolumeAugment, image: Tensor, labels: Tensor, generator: Generator) -> Uncut:
    """What a patch of an image (C, X, Y, Z) and its labels (X, Y, Z) is made of, copied."""
    image, labels, drawn = augment.drawn(image, labels, generator)
    first, size = _box(drawn, labels.shape)
    image, labels = crop(image, labels, first, size)
    middle = [s + (side - 1) / 2 - f for s, side, f in zip(drawn.start, drawn.patch, first, strict=True)]
    empty = torch.empty(0)
    return Uncut(
        image.clone(memory_format=torch.contiguous_format),
        labels.clone(memory_format=torch.contiguous_format),
        empty if drawn.turn is None else drawn.turn,
        torch.tensor(middle),
        empty if drawn.nodes is None else drawn.nodes,
        generator.get_state().numpy().tobytes(),
    )


def _box(drawn: Drawn, shape: Sequence[int]) -> tuple[Triple, Triple]:
    """First voxel and size of the box that holds all voxels around a turned and bent patch."""
    if drawn.turn is None:
        return drawn.start, drawn.patch
    side = torch.tensor(drawn.patch, dtype=torch.float32)
    middle = torch.tensor(drawn.start) + (side - 1) / 2
    reach = drawn.turn.abs() @ ((side - 1) / 2) + 1e-3  # more than rounding moves a place
    if drawn.nodes is not None:
        reach = reach + drawn.nodes.abs().amax(dim=(1, 2, 3))
    last = torch.tensor(shape) - 1
    low = (middle - reach).floor().long().clamp_min(0).minimum(last).tolist()
    high = (middle + reach).ceil().long().clamp_min(0).minimum(last).tolist()
    x, y, z = (b - a + 1 for a, b in zip(low, high, strict=True))
    return (low[0], low[1], low[2]), (x, y, z)


def made_of(augment: VolumeAugment, batch: Sequence[Uncut]) -> tuple[Tensor, Tensor]:
    """Patches (B, C, *patch) in float32 and their labels (B, *patch), on the device that the batch is on."""
    generators = [generator_at(one.state) for one in batch]
    patches = [_placed(augment, one, own) for one, own in zip(batch, generators, strict=True)]
    images, labels = (torch.stack(parts) for parts in zip(*patches, strict=True))
    return _intensities(augment, images, generators), labels


def generator_at(state: bytes) -> Generator:
    """Random numbers that go on where others stood."""
    return Generator().set_state(torch.from_numpy(np.frombuffer(state, dtype=np.uint8).copy()))


def _placed(augment: VolumeAugment, one: Uncut, generator: Generator) -> tuple[Tensor, Tensor]:
    """A patch before its intensities change."""
    image, labels = _looked_up(augment, one) if len(one.turn) else (one.image.float(), one.labels)
    image, labels = random_flip(image, labels, generator, probability=augment.flip, axes=augment.flip_axes)
    if augment.motion and happens(augment.motion, generator):
        degrees, voxels = augment.motion_degrees, augment.motion_voxels
        image = random_motion(image, generator, degrees=degrees, voxels=voxels)
    return image, labels


def _looked_up(augment: VolumeAugment, one: Uncut) -> tuple[Tensor, Tensor]:
    """The turned and bent patch: image interpolated, labels of the nearest voxels."""
    device = one.image.device
    patch = augment.patch or one.labels.shape
    x, y, z = (torch.arange(side, device=device) - (side - 1) / 2 for side in patch)
    grid = torch.stack(torch.meshgrid(x, y, z, indexing="ij"))
    places = torch.einsum("ab,bxyz->axyz", one.turn, grid) + one.middle.view(3, 1, 1, 1)
    if len(one.nodes):
        places += bend_of(one.nodes, (patch[0], patch[1], patch[2]))
    last = [side - 1 for side in one.labels.shape]
    places = torch.stack([axis.clamp(0, end) for axis, end in zip(places, last, strict=True)])
    return _interpolated(one.image.float(), places, last), nearest(one.labels, places)


def _interpolated(image: Tensor, places: Tensor, last: Sequence[int]) -> Tensor:
    scaled = [2 * axis / max(end, 1) - 1 for axis, end in zip(places, last, strict=True)]
    towards = torch.stack(scaled[::-1], dim=-1)  # Z Y X, as grid_sample counts
    return F.grid_sample(image[None], towards[None], padding_mode="border", align_corners=True)[0]


def _intensities(augment: VolumeAugment, images: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Each change of the samples that it happens to, all of these at once."""
    channels, smooth = (images.shape[1], 1, 1, 1), (images.shape[1], *(ORDER + 1,) * 3)
    changes: tuple[tuple[float, tuple[int, ...], Change], ...] = (
        (augment.bias, smooth, _biased),
        (augment.gamma, channels, _to_the_power),
        (augment.contrast, channels, _spread),
        (augment.brightness, channels, _shifted),
    )
    for strength, shape, change in changes:
        if (rows := _happening(augment, generators)) and strength:
            drawn = torch.stack([2 * torch.rand(shape, generator=generators[k]) - 1 for k in rows])
            images[rows] = change(images[rows], strength, drawn.to(images.device))
    if (rows := _happening(augment, generators)) and augment.noise:
        images[rows] = _noisy(images[rows], augment.noise, [generators[k] for k in rows])
    return images


def _happening(augment: VolumeAugment, generators: Sequence[Generator]) -> list[int]:
    """The samples that an intensity change happens to."""
    return [k for k, own in enumerate(generators) if happens(augment.intensity, own)]


def _biased(images: Tensor, strength: float, drawn: Tensor) -> Tensor:
    own = strength * drawn / drawn.abs().sum(dim=(2, 3, 4), keepdim=True)
    powers = [_powers(side, images.device) for side in images.shape[2:]]
    field = torch.einsum("bcijk,xi,yj,zk->bcxyz", own, *powers).exp_()
    lowest = images.amin(dim=SPACE, keepdim=True)
    return torch.addcmul(lowest, images - lowest, field)


def _powers(side: int, device: torch.device) -> Tensor:
    return torch.linspace(-1, 1, side, device=device)[:, None] ** torch.arange(ORDER + 1, device=device)


def _to_the_power(images: Tensor, strength: float, drawn: Tensor) -> Tensor:
    lowest = images.amin(dim=SPACE, keepdim=True)
    extent = (images.amax(dim=SPACE, keepdim=True) - lowest).clamp_min(1e-8)
    unit = ((images - lowest) / extent).clamp_min_(TINY)
    return torch.addcmul(lowest, unit.pow_((strength * drawn).exp()), extent)


def _spread(images: Tensor, strength: float, drawn: Tensor) -> Tensor:
    factor = 1 + strength * drawn
    return torch.addcmul(images.mean(dim=SPACE, keepdim=True) * (1 - factor), images, factor)


def _shifted(images: Tensor, strength: float, drawn: Tensor) -> Tensor:
    return images + strength * drawn * images.std(dim=SPACE, correction=0, keepdim=True)


def _noisy(images: Tensor, strength: float, generators: Sequence[Generator]) -> Tensor:
    shape = (images.shape[1], 1, 1, 1)
    amounts = torch.stack([strength * torch.rand(shape, generator=own) for own in generators])
    scale = amounts.to(images.device) * images.std(dim=SPACE, correction=0, keepdim=True)
    grains = torch.stack([_grains(images[0], own) for own in generators])
    return torch.addcmul(images, grains, scale)


def _grains(like: Tensor, generator: Generator) -> Tensor:
    """Standard normal numbers, drawn by the device."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(like.shape, device=like.device, generator=Generator(like.device).manual_seed(seed))
