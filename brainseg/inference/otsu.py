"""The brain that Otsu's threshold gives: the baseline of the student report's section 2.0.2."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from brainseg.inference.components import largest_component

Mask = NDArray[np.bool_]

BINS = 256
CLOSING_MM = 5.0


def otsu_brain(head: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> Mask:
    """The largest bright part of a head (X, Y, Z), closed: what Otsu's method takes for the brain.

    Args:
        head: Any intensities; those above the 99.9th percentile count as that.
        spacing_mm: Voxel size along X, Y and Z.
    """
    low, high = float(head.min()), float(np.percentile(head, 99.9))
    if low >= high:
        return np.zeros(head.shape, dtype=bool)
    counts, edges = np.histogram(head.clip(low, high), bins=BINS, range=(low, high))
    last_dark = int(threshold_otsu(hist=counts))  # a bin, as `hist` has no intensities
    return closed(largest_component(head > edges[last_dark + 1]), CLOSING_MM, spacing_mm)


def closed(mask: Mask, radius_mm: float, spacing_mm: Sequence[float]) -> Mask:
    """The morphological closing of a mask (X, Y, Z) with a ball."""
    if not mask.any():
        return mask
    margin = [(int(np.ceil(radius_mm / s)) + 1,) * 2 for s in spacing_mm]
    wide = np.pad(mask, margin)  # so that the ball is not cut off at the edge of the volume
    grown = ndimage.distance_transform_edt(~wide, spacing_mm) <= radius_mm
    shrunk = ndimage.distance_transform_edt(grown, spacing_mm) > radius_mm
    inner = tuple(slice(a, -a) for a, _ in margin)
    result: Mask = shrunk[inner]
    return result
