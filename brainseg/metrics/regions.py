"""Scores of one case, region by region."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, GeometryError
from brainseg.images.labels import REGIONS
from brainseg.metrics.overlap import dice, iou, sensitivity, specificity
from brainseg.metrics.surface import surface_scores

Labels = NDArray[Any]

PROTOCOLS = ("brats-legacy",)


def evaluate_case(
    truth: Labels, guess: Labels, spacing_mm: Sequence[float], protocol: str = "brats-legacy"
) -> dict[str, float]:
    """One case's scores, "dice/whole_tumor" and so on, as a challenge counts them.

    Args:
        truth: Label classes (X, Y, Z), see `brainseg.images.CLASSES`.
        guess: The same of the prediction, on the same grid.
        spacing_mm: Voxel size along X, Y and Z, millimetres.
        protocol: "brats-legacy", BraTS up to 2022: whole regions, not lesions.

    Raises:
        ConfigError: An unknown protocol.
        GeometryError: The shapes differ.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol={protocol!r} is unknown; choose one of {', '.join(PROTOCOLS)}")
    return case_scores(truth, guess, spacing_mm)


def case_scores(
    truth: Labels,
    guess: Labels,
    spacing_mm: Sequence[float],
    regions: Mapping[str, tuple[int, ...]] = REGIONS,
) -> dict[str, float]:
    """Overlap and surface scores of every region, as "dice/whole_tumor" or "hd95_mm/tumor_core".

    Args:
        truth: Label classes (X, Y, Z).
        guess: The same of the prediction.
        spacing_mm: Voxel size along X, Y and Z, millimetres.
        regions: Which classes make up which region.

    Raises:
        GeometryError: The shapes differ.
    """
    if truth.shape != guess.shape:
        raise GeometryError(
            f"the true labels are {truth.shape} voxels but the predicted ones {guess.shape}; "
            "both must be on the scan's own grid"
        )
    scores: dict[str, float] = {}
    for region, classes in regions.items():
        there, found = np.isin(truth, classes), np.isin(guess, classes)
        hd95, mean_distance = surface_scores(there, found, spacing_mm)
        scores |= {
            f"dice/{region}": dice(there, found),
            f"iou/{region}": iou(there, found),
            f"sensitivity/{region}": sensitivity(there, found),
            f"specificity/{region}": specificity(there, found),
            f"hd95_mm/{region}": hd95,
            f"mean_surface_distance_mm/{region}": mean_distance,
        }
    return scores
