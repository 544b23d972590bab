"""What a scanner makes of an image: thick slices, uneven coils, noise; and smooth fields, all by torch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

CPU = torch.device("cpu")


class Random(np.random.Generator):
    """What is drawn for a painting, and the device that it is painted on.

    Few numbers are NumPy's, and the same ones wherever it is painted. There is a grain for
    each voxel, so grains are drawn where they are needed.

    Args:
        seed: Decides everything that is drawn.
        device: Where it is painted, with grains of its own there; None: on the CPU, with grains by NumPy.
    """

    def __init__(self, seed: int, device: torch.device | None = None) -> None:
        super().__init__(np.random.PCG64(seed))
        self.device = CPU if device is None else device
        self._own = None if device is None else Generator(device).manual_seed(seed)

    def grains(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, float32, on the device."""
        if self._own is None:
            return torch.from_numpy(self.standard_normal(tuple(shape), dtype=np.float32))
        return torch.randn(*shape, generator=self._own, device=self.device)


def field(shape: tuple[int, ...], node: float, rng: Random) -> Tensor:
    """A smooth field of mean 0 and standard deviation about 1 that varies over `node` voxels."""
    nodes = tuple(int(np.ceil(side / node)) + 2 for side in shape)
    drawn = torch.from_numpy(rng.standard_normal(nodes, dtype=np.float32))
    coarse = drawn.to(rng.device) * 1.5  # interpolation evens out
    return functional.interpolate(coarse[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]


def blurred(image: Tensor, spacing_mm: float, rng: Random) -> Tensor:
    """Thick slices, or a point spread of up to a voxel."""
    if rng.random() < 0.6:
        axis = int(rng.choice(3, p=(0.2, 0.2, 0.6)))
        thinnest = max(2.5, spacing_mm)
        return thick_slices(image, axis, float(rng.uniform(thinnest, max(6.5, thinnest))) / spacing_mm)
    return point_spread(image, float(rng.uniform(0, 0.25)))


def thick_slices(image: Tensor, axis: int, voxels: float) -> Tensor:
    """An image of slices so many voxels thick along an axis, interpolated back to its voxels."""
    size = [image.shape[0], image.shape[1], image.shape[2]]
    size[axis] = max(2, round(size[axis] / voxels))
    thick = functional.adaptive_avg_pool3d(image[None, None], (size[0], size[1], size[2]))
    return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def point_spread(image: Tensor, share: float) -> Tensor:
    """An image of which every voxel gives that share to each of its neighbours, along all axes."""
    kernel = torch.tensor([share, 1 - 2 * share, share], device=image.device)
    for axis in range(3):
        view = [1, 1, 1, 1, 1]
        view[2 + axis] = 3
        pad = [0, 0, 0]
        pad[axis] = 1
        image = functional.conv3d(image[None, None], kernel.view(view), padding=pad)[0, 0]
    return image


def coil(shape: tuple[int, ...], spacing_mm: float, rng: Random) -> Tensor:
    """Smooth sensitivity; in some a ramp, darker outer slices, or more or less near the coils around."""
    along = [_along(shape, axis).to(rng.device) for axis in range(3)]
    log = float(rng.uniform(0, 0.3)) * field(shape, 90 / spacing_mm, rng)
    if rng.random() < 0.5:
        middle = rng.normal(0, 0.15, 3)
        squared = sum((along[axis] - float(middle[axis])) ** 2 for axis in range(3))
        log += float(rng.uniform(-0.6, 1.2)) * squared
    if rng.random() < 0.4:
        log += float(rng.uniform(-0.4, 0.4)) * along[int(rng.integers(3))]
    if rng.random() < 0.3:
        log -= float(rng.uniform(0, 0.7)) * along[2] ** 4
    return log.exp_()


def _along(shape: tuple[int, ...], axis: int) -> Tensor:
    """-1 to 1 along an axis."""
    view = [1, 1, 1]
    view[axis] = -1
    return torch.linspace(-1, 1, shape[axis]).view(view)


def noisy(image: Tensor, signal: float, rng: Random) -> Tensor:
    """Rician noise of up to 6 % of a signal."""
    deviation = float(rng.uniform(0, 0.06)) * signal
    real, imaginary = (rng.grains(image.shape) * deviation for _ in range(2))
    return ((image + real) ** 2 + imaginary**2).sqrt_()
