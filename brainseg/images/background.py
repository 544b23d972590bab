"""Whether voxels without a number lie outside of the head alone, as many programs leave them there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.images.tissue import tissue_of

Bool = NDArray[np.bool_]
CLOSED_VOXELS = 2  # folds of the brain's surface that count as inside


def is_background(broken: Bool, data: NDArray[Any]) -> bool:
    """Whether none of the broken voxels lies in the head, and no slice of it is lost.

    Args:
        broken: (X, Y, Z), the voxels that are not finite.
        data: (X, Y, Z), a scan; a normalised one may be negative.
    """
    if broken.all():
        return False
    tissue = tissue_of(np.abs(np.where(broken, 0, data)), sparsely=True) & ~broken
    if not tissue.any() or _has_lost_slice(broken, tissue):
        return False
    return not bool((_filled(tissue) & broken).any())


def _filled(tissue: Bool) -> Bool:
    """The largest piece of the tissue, its folds closed and its holes filled."""
    padded = np.pad(tissue, CLOSED_VOXELS)
    closed = ndimage.binary_closing(padded, iterations=CLOSED_VOXELS)
    inside = (slice(CLOSED_VOXELS, -CLOSED_VOXELS),) * 3
    pieces, n = ndimage.label(closed[inside])
    largest = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])) if n else pieces > 0
    return np.asarray(ndimage.binary_fill_holes(largest), dtype=bool)


def _has_lost_slice(broken: Bool, tissue: Bool) -> bool:
    """Whether a slice between slices with tissue holds no number at all."""
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        lost, used = np.asarray(broken.all(axis=others)), np.flatnonzero(tissue.any(axis=others))
        if lost[used[0] : used[-1]].any():
            return True
    return False
