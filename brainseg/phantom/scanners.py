"""What a scanner makes of an image: thick slices, uneven coils, noise; and smooth fields, all by torch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Random = np.random.Generator


def field(shape: tuple[int, ...], node: float, rng: Random) -> Tensor:
    """A smooth field of mean 0 and standard deviation about 1 that varies over `node` voxels."""
    nodes = tuple(int(np.ceil(side / node)) + 2 for side in shape)
    coarse = torch.from_numpy(rng.standard_normal(nodes, dtype=np.float32)) * 1.5  # interpolation evens out
    return functional.interpolate(coarse[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]


def blurred(image: Tensor, spacing_mm: float, rng: Random) -> Tensor:
    """Thick slices, or a point spread of up to a voxel."""
    if rng.random() < 0.6:
        axis = int(rng.choice(3, p=(0.2, 0.2, 0.6)))
        return thick_slices(image, axis, float(rng.uniform(max(2.5, spacing_mm), 6.5)) / spacing_mm)
    return point_spread(image, float(rng.uniform(0, 0.25)))


def thick_slices(image: Tensor, axis: int, voxels: float) -> Tensor:
    """An image of slices so many voxels thick along an axis, interpolated back to its voxels."""
    size = [image.shape[0], image.shape[1], image.shape[2]]
    size[axis] = max(2, round(size[axis] / voxels))
    thick = functional.adaptive_avg_pool3d(image[None, None], (size[0], size[1], size[2]))
    return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def point_spread(image: Tensor, share: float) -> Tensor:
    """An image of which every voxel gives that share to each of its neighbours, along all axes."""
    kernel = torch.tensor([share, 1 - 2 * share, share])
    for axis in range(3):
        view = [1, 1, 1, 1, 1]
        view[2 + axis] = 3
        pad = [0, 0, 0]
        pad[axis] = 1
        image = functional.conv3d(image[None, None], kernel.view(view), padding=pad)[0, 0]
    return image


def coil(shape: tuple[int, ...], spacing_mm: float, rng: Random) -> Tensor:
    """Smooth sensitivity; in some a ramp, darker outer slices, or more or less near the coils around."""
    log = float(rng.uniform(0, 0.3)) * field(shape, 90 / spacing_mm, rng)
    if rng.random() < 0.5:
        middle = rng.normal(0, 0.15, 3)
        squared = sum((_along(shape, axis) - float(middle[axis])) ** 2 for axis in range(3))
        log += float(rng.uniform(-0.6, 1.2)) * squared
    if rng.random() < 0.4:
        log += float(rng.uniform(-0.4, 0.4)) * _along(shape, int(rng.integers(3)))
    if rng.random() < 0.3:
        log -= float(rng.uniform(0, 0.7)) * _along(shape, 2) ** 4
    return log.exp_()


def _along(shape: tuple[int, ...], axis: int) -> Tensor:
    """-1 to 1 along an axis."""
    view = [1, 1, 1]
    view[axis] = -1
    return torch.linspace(-1, 1, shape[axis]).view(view)


def noisy(image: Tensor, signal: float, rng: Random) -> Tensor:
    """Rician noise of up to 6 % of a signal."""
    deviation = float(rng.uniform(0, 0.06)) * signal
    real, imaginary = (
        torch.from_numpy(rng.standard_normal(tuple(image.shape), dtype=np.float32)) * deviation
        for _ in range(2)
    )
    return ((image + real) ** 2 + imaginary**2).sqrt_()
