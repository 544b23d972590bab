"""Scores of masks, label maps and class probabilities."""

from brainseg.metrics.brain import brain_scores
from brainseg.metrics.classification import (
    calibration_error,
    classification_scores,
    confusion_matrix,
    reliability,
    roc_auc,
)
from brainseg.metrics.overlap import dice, region_dices, soft_dice, soft_iou
from brainseg.metrics.regions import score_case

__all__ = [
    "brain_scores",
    "calibration_error",
    "classification_scores",
    "confusion_matrix",
    "dice",
    "region_dices",
    "reliability",
    "roc_auc",
    "score_case",
    "soft_dice",
    "soft_iou",
]
