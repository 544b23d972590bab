"""Which grey a voxel gets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND_SHARE = 0.02  # a value that fills less of the image than this is no background
_AT_ONCE = 2**16  # voxels: what is computed of them stays in the processor's cache


def to_grey(image: NDArray[Any], inside: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """The image in [0, 1], from the 0.5th to the 99.5th percentile of what is shown, background black.

    The background of a z-scored scan is 0, in the middle of its range, and would be grey: voxels that have
    exactly the value of the corner become black if they are many.

    Args:
        image: Any shape and range; what is not finite becomes black.
        inside: Where the percentiles are taken, for instance the brain; None takes all but the background.
    """
    image = np.asarray(image, dtype=np.float32)
    grey = np.zeros_like(image)  # with its axes in the same order in memory
    background = image == image.flat[0]
    if np.count_nonzero(background) < BACKGROUND_SHARE * image.size:
        background = np.zeros_like(background)
    finite = bool(np.isfinite(image.min()) and np.isfinite(image.max()))
    shown = ~background if inside is None else inside
    values = image.T[shown.T] if finite else image[np.isfinite(image) & shown]
    if not values.size:
        return grey
    low, high = np.percentile(values, (0.5, 99.5), overwrite_input=True)
    black = bool(image.flat[0] > low)  # what is the background
    for some, out, behind in zip(*map(_in_pieces, (image, grey, background)), strict=True):
        part = np.subtract(some, low, dtype=np.float64)
        part /= max(high - low, 1e-6)
        np.clip(part, 0, 1, out=part)
        if black:
            part[behind] = 0
        if not finite:
            part[~np.isfinite(some)] = 0
        out[...] = part
    return grey


def _in_pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of an array, one after the other as it lies in memory where its first axis runs fastest."""
    turned = array.T
    step = max(1, _AT_ONCE * len(turned) // max(1, turned.size))
    for first in range(0, len(turned), step):
        yield turned[first : first + step]
