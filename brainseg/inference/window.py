"""Prediction of a volume of any size by a network that sees windows of one size."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from brainseg.config.bounds import at_least, within
from brainseg.config.choices import Blend
from brainseg.config.errors import ConfigError
from brainseg.config.prediction import WindowConfig

Triple = tuple[int, int, int]
Box = tuple[slice, ...]  # of channels, X, Y and Z


@dataclass(frozen=True)
class Windows:
    """How windows are laid over a volume, and how their answers become one.

    Args:
        overlap: Share of a window's side that the next window covers again, in [0, 1).
        blend: gaussian trusts the middle of a window more (standard deviation 1/8 of the side), constant
            averages evenly.
        batch_size: Windows that the network sees at once.
        origin: Index of the volume's first voxel in the scan that it was cropped from.
        half: The mean is kept in float16, in half the memory; for a GPU.

    Raises:
        ConfigError: The overlap or the batch size is out of bounds.
    """

    overlap: float
    blend: Blend
    batch_size: int
    origin: Triple = (0, 0, 0)
    half: bool = False

    def __post_init__(self) -> None:
        within("overlap", self.overlap, 0, 1)
        at_least("batch_size", self.batch_size, 1)

    @classmethod
    def of(cls, config: WindowConfig, device: torch.device | None = None) -> "Windows":
        """As conf/predict.yaml and the command line have it, for a device."""
        half = device is not None and device.type == "cuda"
        return cls(config.overlap, config.blend, config.batch_size, half=half)

    def at(self, origin: Triple) -> "Windows":
        """The same for a volume that was cropped there."""
        return replace(self, origin=origin)


def predict_windows(
    image: Tensor, sides: Sequence[int], windows: Windows, *, predict: Callable[[Tensor], Tensor]
) -> Tensor:
    """What `predict` says of each window, averaged where they overlap: (K, X, Y, Z), float32 or float16.

    A volume smaller than the window is padded with zeros on both sides and the result cropped back. The
    result does not depend on the batch size, and lies on the image's device. Memory: the result and one batch
    of windows.

    Args:
        image: (C, X, Y, Z).
        sides: The window's, in voxels.
        windows: How they are laid over the image.
        predict: From windows (N, C, *sides) to (N, K, *sides), on any device.

    Raises:
        ConfigError: The sides are not three positive numbers.
    """
    side_XYZ = _three_positive(sides)
    padded, inner = _pad(image, side_XYZ)
    starts = [
        _starts(size, side, windows.overlap) for size, side in zip(padded.shape[1:], side_XYZ, strict=True)
    ]
    profiles = [_profile(side, windows.blend, image.device) for side in side_XYZ]
    sums = [
        _sum_of_weights(size, firsts, profile)
        for size, firsts, profile in zip(padded.shape[1:], starts, profiles, strict=True)
    ]
    weight = _outer(profiles)

    def weight_in(box: Box) -> Tensor:
        if not windows.half:
            return weight
        shares = zip(profiles, sums, box[1:], strict=True)  # they add up to 1: some weights are 0 in float16
        return _outer([profile / covered[side] for profile, covered, side in shares])

    total: Tensor | None = None
    for places in _batches(itertools.product(*starts), windows.batch_size):
        boxes = [_box(place, side_XYZ) for place in places]
        answers = predict(torch.stack([padded[box] for box in boxes]))
        if total is None:
            numbers = torch.float16 if windows.half else torch.float32
            total = torch.zeros((len(answers[0]), *padded.shape[1:]), dtype=numbers, device=image.device)
        for box, answer in zip(boxes, answers, strict=True):
            total[box] += answer.to(total.device, torch.float32) * weight_in(box)
    assert total is not None  # a padded volume has at least one window
    if not windows.half:
        _divide(total, sums)
    return total[inner]


def on_host(values: Tensor) -> Tensor:
    """Values in float32 on the CPU; from another device they come as float16, which is half the way."""
    return values.float() if values.device.type == "cpu" else values.half().cpu().float()


def _three_positive(sides: Sequence[int]) -> Triple:
    if len(sides) != 3 or min(sides) < 1:
        raise ConfigError(
            f"a window of {tuple(sides)} must have three positive numbers of voxels, e.g. (96, 96, 96)"
        )
    x, y, z = sides
    return x, y, z


def _pad(image: Tensor, sides: Triple) -> tuple[Tensor, tuple[slice, ...]]:
    """The image, at least as large as the window along each axis, and where the original lies in it."""
    lacking = [max(side - size, 0) for size, side in zip(image.shape[1:], sides, strict=True)]
    before = [lack // 2 for lack in lacking]
    inner = (
        slice(None),
        *(slice(first, first + size) for first, size in zip(before, image.shape[1:], strict=True)),
    )
    if not any(lacking):
        return image, inner
    widths = [(first, lack - first) for first, lack in zip(before, lacking, strict=True)]
    return F.pad(
        image, [width for pair in widths[::-1] for width in pair]
    ), inner  # torch counts axes from the last


def _starts(size: int, side: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis; the last window ends with the volume."""
    step = max(1, int(side * (1 - overlap)))
    return [*range(0, size - side, step), size - side]


def _profile(side: int, blend: Blend, device: torch.device) -> Tensor:
    """Weight of a window's voxels along one axis; that of a voxel is the product of three."""
    if blend is Blend.constant:
        return torch.ones(side, device=device)
    offset = torch.arange(side, device=device) - (side - 1) / 2
    # MONAI's weights have a floor. There is none here: it makes voxels at a window's border count more,
    # although they have the least around them.
    return torch.exp(-0.5 * (offset / (side / 8)) ** 2)


def _outer(profiles: Sequence[Tensor]) -> Tensor:
    x, y, z = profiles
    return x[:, None, None] * y[:, None] * z


def _box(place: tuple[int, ...], sides: Triple) -> Box:
    return (slice(None), *(slice(first, first + side) for first, side in zip(place, sides, strict=True)))


def _batches(places: Iterator[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    while batch := list(itertools.islice(places, size)):
        yield batch


def _sum_of_weights(size: int, firsts: Sequence[int], profile: Tensor) -> Tensor:
    """The sum of the weights of all windows at each voxel of an axis, (size,)."""
    covered = torch.zeros(size, device=profile.device)
    for first in firsts:
        covered[first : first + len(profile)] += profile
    return covered


def _divide(total: Tensor, sums: Sequence[Tensor]) -> None:
    """Divide, in place, by the sum of the weights of all windows over a voxel.

    Windows stand on a grid and weights are products along the axes, so this sum is a product too: no second
    volume holds it.
    """
    for axis, covered in enumerate(sums, start=1):
        total /= covered.view([-1 if a == axis else 1 for a in range(4)])
