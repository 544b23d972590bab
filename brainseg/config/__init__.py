"""The configuration: what may be set, of which type, within which bounds. Imports no torch."""

from brainseg.config.check import as_section, check, check_predict
from brainseg.config.choices import ANY, OTSU, SEQUENCES, TUMOR_TYPES
from brainseg.config.errors import ConfigError, UserError
from brainseg.config.explain import explain
from brainseg.config.folder import conf_dir
from brainseg.config.prediction import PredictConfig
from brainseg.config.record import FREE, chosen, decisive, plain, record
from brainseg.config.store import register_schemas
from brainseg.config.training import (
    ClassifierConfig,
    SegmenterConfig,
    SkullStripperConfig,
    SlicePreprocess,
    VolumeClassifierConfig,
    VolumePreprocess,
)

__all__ = [
    "ANY",
    "FREE",
    "OTSU",
    "SEQUENCES",
    "TUMOR_TYPES",
    "ClassifierConfig",
    "ConfigError",
    "PredictConfig",
    "SegmenterConfig",
    "SkullStripperConfig",
    "SlicePreprocess",
    "UserError",
    "VolumeClassifierConfig",
    "VolumePreprocess",
    "as_section",
    "check",
    "check_predict",
    "chosen",
    "conf_dir",
    "decisive",
    "explain",
    "plain",
    "record",
    "register_schemas",
]
