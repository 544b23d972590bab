"""Scores of one case, region by region."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.choices import PROTOCOLS
from brainseg.config.errors import ConfigError, GeometryError
from brainseg.images.labels import REGIONS
from brainseg.metrics.lesions import LesionScores, hd95_by_area_mm, lesions_2023, lesions_2026, whole_2026
from brainseg.metrics.overlap import dice, iou, sensitivity, specificity
from brainseg.metrics.surface import surface_scores

Labels = NDArray[Any]


def evaluate_case(
    truth: Labels, guess: Labels, spacing_mm: Sequence[float], protocol: str = "brats-legacy"
) -> dict[str, float]:
    """One case's scores, "dice/whole_tumor" and so on, as a challenge counts them.

    Args:
        truth: Label classes (X, Y, Z), see `brainseg.images.CLASSES`.
        guess: The same of the prediction, on the same grid.
        spacing_mm: Voxel size along X, Y and Z, millimetres.
        protocol: "brats-legacy", BraTS up to 2022: whole regions, not lesions; "brats-2023": lesion by
            lesion, 2023 and 2024; "brats-2026": 2025 and 2026. Names of scores that begin with "lesion" are
            means over lesions; see `metrics.lesions`.

    Raises:
        ConfigError: An unknown protocol.
        GeometryError: The shapes differ.
    """
    return score_case(truth, guess, spacing_mm, protocol)[0]


def score_case(
    truth: Labels, guess: Labels, spacing_mm: Sequence[float], protocol: str
) -> tuple[dict[str, float], dict[str, LesionScores]]:
    """What `evaluate_case` gives, and the lesions of each region; brats-legacy knows none."""
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol={protocol!r} is unknown; choose one of {', '.join(PROTOCOLS)}")
    if protocol == "brats-legacy":
        return case_scores(truth, guess, spacing_mm), {}
    _refuse_other_shape(truth, guess)
    count = lesions_2023 if protocol == "brats-2023" else lesions_2026
    scores: dict[str, float] = {}
    found: dict[str, LesionScores] = {}
    for region, classes in REGIONS.items():
        there, given = np.isin(truth, classes), np.isin(guess, classes)
        lesions = found[region] = count(there, given, spacing_mm)
        own = {"lesion_dice": lesions.dice, "lesion_hd95_mm": lesions.hd95_mm}
        if protocol == "brats-2023":
            own |= {"dice": dice(there, given), "hd95_mm": hd95_by_area_mm(there, given, spacing_mm)}
            own |= {"sensitivity": sensitivity(there, given), "specificity": specificity(there, given)}
        else:
            own |= {"lesion_nsd": lesions.nsd, "lesion_f1": lesions.f1, **whole_2026(there, given)}
        own |= {
            "lesions_found": lesions.true_positive,
            "lesions_missed": lesions.false_negative,
            "lesions_made_up": lesions.false_positive,
        }
        scores |= {f"{name}/{region}": float(value) for name, value in own.items()}
    return scores, found


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
    _refuse_other_shape(truth, guess)
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


def _refuse_other_shape(truth: Labels, guess: Labels) -> None:
    if truth.shape != guess.shape:
        raise GeometryError(
            f"the true labels are {truth.shape} voxels but the predicted ones {guess.shape}; "
            "both must be on the scan's own grid"
        )
