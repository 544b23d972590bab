"""Scans and label maps: arrays that know their place, read from files and written back onto their grid."""

from brainseg.files.atomic import writing
from brainseg.images.labels import CLASSES, CONVENTIONS, REGIONS, Convention
from brainseg.images.volume import Grid, Volume, resample_to, to_ras

__all__ = [
    "CLASSES",
    "CONVENTIONS",
    "REGIONS",
    "Convention",
    "Grid",
    "Volume",
    "resample_to",
    "to_ras",
    "writing",
]
