"""One window for a whole scan, where a network does not mind."""

from collections.abc import Callable, Sequence
from itertools import chain
from math import prod

from torch import Tensor
from torch.nn import functional as F

# Feature values at full resolution, of which a network holds several sets at a time: a dynunet of 32 feature
# maps took 2.7 GB in float32 for 4.1 million voxels, and 3.3 GB for the two windows of 128^3 else shown.
MOST_VALUES = 10 * 2**24

Widths = list[tuple[int, int]]


def widths_of_one(shape: Sequence[int], origin: Sequence[int], channels: Sequence[int]) -> Widths | None:
    """Voxels before and behind each axis that make a scan one window; None where that is too much to hold.

    For a network without norms of a window, whose answer does not depend on its size: one window is less work
    than many that overlap, and each voxel sees as much around it as there is. The window begins and ends at a
    multiple of what the deepest level pools, counted from the first voxel of the scan before it was cropped.
    So each voxel is pooled with the same neighbours wherever the crop began.

    Args:
        shape: The cropped scan's (X, Y, Z).
        origin: Index of its first voxel in the scan that it was cropped from.
        channels: Feature maps of the network, full resolution first.
    """
    factor = 2 ** (len(channels) - 1)
    before = [first % factor for first in origin]
    widths = [(lead, -(lead + side) % factor) for lead, side in zip(before, shape, strict=True)]
    sides = [lead + side + tail for side, (lead, tail) in zip(shape, widths, strict=True)]
    return widths if prod(sides) * channels[0] <= MOST_VALUES else None


def predict_one(image: Tensor, widths: Widths, predict: Callable[[Tensor], Tensor]) -> Tensor:
    """What `predict` says of the image (C, X, Y, Z) with zeros around it: (K, X, Y, Z), float32."""
    padded = F.pad(image, [*chain.from_iterable(widths[::-1])])  # torch counts axes from the last
    inner = tuple(slice(lead, lead + side) for side, (lead, _) in zip(image.shape[1:], widths, strict=True))
    answer = predict(padded[None])[0].to(image.device).float().contiguous()
    return answer[(slice(None), *inner)]
