"""Scores of a brain mask against the true one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError
from brainseg.metrics.overlap import dice, iou, sensitivity, specificity
from brainseg.metrics.surface import surface_scores


def brain_scores(
    truth: NDArray[np.bool_], guess: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> dict[str, float]:
    """Overlap, volume and surface scores of two masks (X, Y, Z) on one grid.

    `volume_error` is (guess - truth) / truth: 0.1 is a mask that is 10 % too large. The other scores are
    those of `metrics.overlap` and `metrics.surface`.

    Raises:
        GeometryError: The shapes differ, or the true mask is empty.
    """
    if truth.shape != guess.shape:
        raise GeometryError(f"the true mask has {truth.shape} voxels but the other {guess.shape}")
    if not truth.any():
        raise GeometryError("the true mask has no voxel in it; check the file")
    surfaces = surface_scores(truth, guess, spacing_mm)
    return {
        "dice": dice(truth, guess),
        "iou": iou(truth, guess),
        "sensitivity": sensitivity(truth, guess),
        "specificity": specificity(truth, guess),
        "volume_error": np.count_nonzero(guess) / np.count_nonzero(truth) - 1,
        "hd95_mm": surfaces.hd95_mm,
        "mean_surface_distance_mm": surfaces.mean_distance_mm,
    }
