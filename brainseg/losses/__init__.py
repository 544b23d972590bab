"""Losses: modules of logits and truth that return one number with gradients."""

from brainseg.losses.binary import (
    BinaryCrossentropy,
    BinaryDiceLoss,
    BinaryIoULoss,
    BinaryMSELoss,
    DiceBCELoss,
)
from brainseg.losses.categorical import CategoricalCrossentropy, CategoricalHinge, KLDivergence
from brainseg.losses.deep_supervision import deeply_supervised
from brainseg.losses.dice import DiceCELoss, DiceLoss
from brainseg.losses.distance import DiceBCEDistanceLoss, SignedDistanceLoss
from brainseg.losses.focal import CategoricalFocalLoss, DiceFocalLoss
from brainseg.losses.regions import RegionDiceBCELoss, RegionDiceFocalLoss, region_masks

__all__ = [
    "BinaryCrossentropy",
    "BinaryDiceLoss",
    "BinaryIoULoss",
    "BinaryMSELoss",
    "CategoricalCrossentropy",
    "CategoricalFocalLoss",
    "CategoricalHinge",
    "DiceBCEDistanceLoss",
    "DiceBCELoss",
    "DiceCELoss",
    "DiceFocalLoss",
    "DiceLoss",
    "KLDivergence",
    "RegionDiceBCELoss",
    "RegionDiceFocalLoss",
    "SignedDistanceLoss",
    "deeply_supervised",
    "region_masks",
]
