"""Random changes, in training only."""

from brainseg.augment.slices import SliceAugment
from brainseg.augment.volumes import VolumeAugment

__all__ = ["SliceAugment", "VolumeAugment"]
