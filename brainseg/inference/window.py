"""Prediction of a volume of any size by a network that sees windows of one size."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from brainseg.config.errors import ConfigError

Triple = tuple[int, int, int]
BLENDS = ("gaussian", "constant")


def predict_windows(
    image: Tensor,
    window: Sequence[int],
    *,
    predict: Callable[[Tensor], Tensor],
    overlap: float = 0.5,
    blend: str = "gaussian",
    batch_size: int = 4,
) -> Tensor:
    """What `predict` says of each window, averaged where they overlap: (K, X, Y, Z), float32.

    A volume smaller than the window is padded with zeros on both sides and the result cropped back. The
    result does not depend on `batch_size`, and lies on the image's device. Memory: the result and one batch
    of windows.

    Args:
        image: (C, X, Y, Z).
        window: Sides of a window, voxels.
        predict: From windows (N, C, *window) to (N, K, *window), on whatever device it likes.
        overlap: Share of a window's side that the next window covers again, in [0, 1).
        blend: "gaussian" trusts the middle of a window more (standard deviation 1/8 of the side), "constant"
            averages evenly.
        batch_size: Windows per call of `predict`.

    Raises:
        ConfigError: A window, overlap, blend or batch size that cannot be.
    """
    sides = _checked(window, overlap, blend, batch_size)
    padded, inner = _pad(image, sides)
    starts = [_starts(size, side, overlap) for size, side in zip(padded.shape[1:], sides, strict=True)]
    profiles = [_profile(side, blend, image.device) for side in sides]
    weight = _outer(profiles)
    total: Tensor | None = None
    for places in _batches(itertools.product(*starts), batch_size):
        boxes = [_box(place, sides) for place in places]
        answers = predict(torch.stack([padded[box] for box in boxes]))
        if total is None:
            total = torch.zeros((answers.shape[1], *padded.shape[1:]), device=image.device)
        for box, answer in zip(boxes, answers, strict=True):
            total[box] += answer.to(total.device, torch.float32) * weight
    assert total is not None  # a padded volume has at least one window
    _divide(total, starts, profiles)
    return total[inner]


def _checked(window: Sequence[int], overlap: float, blend: str, batch_size: int) -> Triple:
    if len(window) != 3 or min(window) < 1:
        raise ConfigError(
            f"window={tuple(window)} must be three positive numbers of voxels, e.g. (96, 96, 96)"
        )
    if not 0 <= overlap < 1:
        raise ConfigError(f"overlap={overlap} must be in [0, 1), e.g. 0.5")
    if blend not in BLENDS:
        raise ConfigError(f"blend={blend!r} is unknown; choose {' or '.join(BLENDS)}")
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size} must be at least 1")
    return window[0], window[1], window[2]


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


def _profile(side: int, blend: str, device: torch.device) -> Tensor:
    """Weight of a window's voxels along one axis; that of a voxel is the product of three."""
    if blend == "constant":
        return torch.ones(side, device=device)
    offset = torch.arange(side, device=device) - (side - 1) / 2
    # Without the floor of MONAI's weights, by which border voxels, that saw least around them, count more.
    return torch.exp(-0.5 * (offset / (side / 8)) ** 2)


def _outer(profiles: Sequence[Tensor]) -> Tensor:
    x, y, z = profiles
    return x[:, None, None] * y[:, None] * z


def _box(place: tuple[int, ...], sides: Triple) -> tuple[slice, ...]:
    return (slice(None), *(slice(first, first + side) for first, side in zip(place, sides, strict=True)))


def _batches(places: Iterator[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    while batch := list(itertools.islice(places, size)):
        yield batch


def _divide(total: Tensor, starts: Sequence[Sequence[int]], profiles: Sequence[Tensor]) -> None:
    """Divide, in place, by the sum of the weights of all windows over a voxel.

    Windows stand on a grid and weights are products along the axes, so this sum is a product too: no second
    volume holds it.
    """
    for axis, (firsts, profile) in enumerate(zip(starts, profiles, strict=True), start=1):
        covered = torch.zeros(total.shape[axis], device=total.device)
        for first in firsts:
            covered[first : first + len(profile)] += profile
        total /= covered.view([-1 if a == axis else 1 for a in range(4)])
