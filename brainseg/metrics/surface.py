"""How far apart the surfaces of two masks (X, Y, Z) lie, in millimetres.

The surface of a mask is made of its voxels that have a face on the outside or on the edge of the volume.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

Mask = NDArray[np.bool_]

MISSED_MM = 373.13  # BraTS up to 2022, where only one mask is empty: the diagonal of its 240 x 240 x 155 mm


class SurfaceScores(NamedTuple):
    """Distances between two surfaces: 0 if both masks are empty, 373.13 if one is."""

    hd95_mm: float  # the larger of the two 95th percentiles of the distances from one surface to the other
    mean_distance_mm: float  # over the voxels of both surfaces, each to the other surface


def surface_scores(truth: Mask, guess: Mask, spacing_mm: Sequence[float]) -> SurfaceScores:
    """The distances between the surfaces of two masks on one grid."""
    if truth.shape != guess.shape:
        raise ValueError(f"truth is {truth.shape} but guess {guess.shape}; masks must share one grid")
    truth_empty, guess_empty = not truth.any(), not guess.any()
    if truth_empty or guess_empty:
        missed = 0.0 if truth_empty and guess_empty else MISSED_MM
        return SurfaceScores(missed, missed)
    to_truth, to_guess = surface_distances(truth, guess, spacing_mm)
    hd95 = max(np.percentile(to_truth, 95), np.percentile(to_guess, 95))
    return SurfaceScores(float(hd95), float(np.concatenate([to_truth, to_guess]).mean()))


def surface_distances(
    truth: Mask, guess: Mask, spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each voxel of the guess's surface to the truth's surface, and the other way round, in mm.

    Neither mask may be empty.
    """
    truth_points, guess_points = _surface_mm(truth, spacing_mm), _surface_mm(guess, spacing_mm)
    to_truth, _ = KDTree(truth_points).query(guess_points)
    to_guess, _ = KDTree(guess_points).query(truth_points)
    return to_truth, to_guess


def _surface_mm(mask: Mask, spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Positions (N, 3) of the surface's voxels, millimetres from the first voxel."""
    box: Any = ndimage.find_objects(mask.astype(np.uint8))[0]
    inside = mask[box]
    surface = inside & ~ndimage.binary_erosion(inside)
    first = [side.start for side in box]
    points: NDArray[np.float64] = (np.argwhere(surface) + first) * np.asarray(spacing_mm, dtype=np.float64)
    return points
