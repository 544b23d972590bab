"""Scores: functions of masks first, streaming shells around them below."""

from brainseg.metrics.brain import brain_scores
from brainseg.metrics.classification import (
    calibration_error,
    classification_scores,
    confusion_matrix,
    reliability,
    roc_auc,
)
from brainseg.metrics.overlap import dice, iou, sensitivity, soft_dice, soft_iou, specificity
from brainseg.metrics.regions import case_scores, evaluate_case, score_case
from brainseg.metrics.streaming import RegionDice
from brainseg.metrics.surface import MISSED_MM, hd95_mm, mean_surface_distance_mm

__all__ = [
    "MISSED_MM",
    "RegionDice",
    "brain_scores",
    "calibration_error",
    "case_scores",
    "classification_scores",
    "confusion_matrix",
    "dice",
    "evaluate_case",
    "hd95_mm",
    "iou",
    "mean_surface_distance_mm",
    "reliability",
    "roc_auc",
    "score_case",
    "sensitivity",
    "soft_dice",
    "soft_iou",
    "specificity",
]
