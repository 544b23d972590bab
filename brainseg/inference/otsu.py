"""Otsu's threshold, and the brain that it gives: the baseline of the report's section 2.0.2."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.inference.components import largest_component

Mask = NDArray[np.bool_]

BINS = 256
CLOSING_MM = 5.0


def otsu_bin(counts: NDArray[np.integer[Any]]) -> int:
    """The last bin of the dark class, where counts (K,) are divided best into dark and bright (Otsu 1979)."""
    share = counts / counts.sum()
    dark = np.cumsum(share)[:-1]
    mean = np.cumsum(share * np.arange(len(counts)))
    between = (mean[-1] * dark - mean[:-1]) ** 2 / np.maximum(dark * (1 - dark), 1e-12)
    return int(between.argmax())


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
    return closed(largest_component(head > edges[otsu_bin(counts) + 1]), CLOSING_MM, spacing_mm)


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
