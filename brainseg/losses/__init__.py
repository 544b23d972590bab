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
from brainseg.losses.focal import DiceFocalLoss
from brainseg.losses.regions import RegionDiceBCELoss, RegionDiceFocalLoss

__all__ = [
    "BinaryCrossentropy",
    "BinaryDiceLoss",
    "BinaryIoULoss",
    "BinaryMSELoss",
    "CategoricalCrossentropy",
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
]
