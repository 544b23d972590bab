"""Scores of one case, region by region."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.choices import PROTOCOLS
from brainseg.config.errors import ConfigError, GeometryError
from brainseg.images.labels import REGIONS, TUMOR_REGIONS
from brainseg.metrics.lesions import LesionScores, hd95_by_area_mm, lesions_2023, lesions_2026, whole_2026
from brainseg.metrics.overlap import dice, iou, sensitivity, specificity
from brainseg.metrics.surface import surface_scores

Labels = NDArray[Any]
Mask = NDArray[np.bool_]


def score_case(
    truth: Labels,
    guess: Labels,
    spacing_mm: Sequence[float],
    protocol: str,
    regions: Sequence[str] = tuple(TUMOR_REGIONS),
) -> tuple[dict[str, float], dict[str, LesionScores]]:
    """The scores of one case, named "dice/whole_tumor" and so on, and the lesions of each region.

    Args:
        truth: Label classes (X, Y, Z), see `brainseg.images.labels.CLASSES`.
        guess: The predicted ones, on the same grid.
        spacing_mm: Voxel size along X, Y and Z, millimetres.
        protocol: "brats-legacy", BraTS up to 2022: whole regions, and no lesions; "brats-2023": lesion by
            lesion, 2023 and 2024; "brats-2026": 2025 and 2026. Scores whose names begin with "lesion" are
            means over lesions; see `metrics.lesions`.
        regions: Which of `REGIONS` are scored.

    Raises:
        ConfigError: An unknown protocol.
        GeometryError: The shapes differ.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol={protocol!r} is unknown; choose one of {', '.join(PROTOCOLS)}")
    if truth.shape != guess.shape:
        raise GeometryError(
            f"the true labels are {truth.shape} voxels but the predicted ones {guess.shape}; "
            "both must be on the scan's own grid"
        )
    scores: dict[str, float] = {}
    lesions: dict[str, LesionScores] = {}
    for region in regions:
        true, predicted = np.isin(truth, REGIONS[region]), np.isin(guess, REGIONS[region])
        if protocol == "brats-legacy":
            own = _legacy_scores(true, predicted, spacing_mm)
        elif protocol == "brats-2023":
            lesions[region] = lesions_2023(true, predicted, spacing_mm)
            own = _scores_2023(true, predicted, spacing_mm, lesions[region])
        else:
            lesions[region] = lesions_2026(true, predicted, spacing_mm)
            own = _scores_2026(true, predicted, lesions[region])
        scores |= {f"{name}/{region}": float(value) for name, value in own.items()}
    return scores, lesions


def _legacy_scores(truth: Mask, guess: Mask, spacing_mm: Sequence[float]) -> dict[str, float]:
    surfaces = surface_scores(truth, guess, spacing_mm)
    return {
        "dice": dice(truth, guess),
        "iou": iou(truth, guess),
        "sensitivity": sensitivity(truth, guess),
        "specificity": specificity(truth, guess),
        "hd95_mm": surfaces.hd95_mm,
        "mean_surface_distance_mm": surfaces.mean_distance_mm,
    }


def _scores_2023(
    truth: Mask, guess: Mask, spacing_mm: Sequence[float], lesions: LesionScores
) -> dict[str, float]:
    return {
        "lesion_dice": lesions.dice,
        "lesion_hd95_mm": lesions.hd95_mm,
        "dice": dice(truth, guess),
        "hd95_mm": hd95_by_area_mm(truth, guess, spacing_mm),
        "sensitivity": sensitivity(truth, guess),
        "specificity": specificity(truth, guess),
        **_counts(lesions),
    }


def _scores_2026(truth: Mask, guess: Mask, lesions: LesionScores) -> dict[str, float]:
    return {
        "lesion_dice": lesions.dice,
        "lesion_hd95_mm": lesions.hd95_mm,
        "lesion_nsd": lesions.nsd,
        "lesion_f1": lesions.f1,
        **whole_2026(truth, guess),
        **_counts(lesions),
    }


def _counts(lesions: LesionScores) -> dict[str, float]:
    return {
        "lesions_found": lesions.true_positive,
        "lesions_missed": lesions.false_negative,
        "lesions_made_up": lesions.false_positive,
    }
