"""The configuration: what may be set, of which type, within which bounds. Imports no torch."""

from brainseg.config.check import as_section, check, check_predict, chosen, explain, plain, record
from brainseg.config.errors import ConfigError, UserError
from brainseg.config.folder import conf_dir
from brainseg.config.schema import (
    ANY,
    OTSU,
    SEQUENCES,
    TUMOR_TYPES,
    ClassifierConfig,
    PredictConfig,
    SegmenterConfig,
    SkullStripperConfig,
    SlicePreprocess,
    TrainConfig,
    VolumePreprocess,
    register_schemas,
)

__all__ = [
    "ANY",
    "OTSU",
    "SEQUENCES",
    "TUMOR_TYPES",
    "ClassifierConfig",
    "ConfigError",
    "PredictConfig",
    "SegmenterConfig",
    "SkullStripperConfig",
    "SlicePreprocess",
    "TrainConfig",
    "UserError",
    "VolumePreprocess",
    "as_section",
    "check",
    "check_predict",
    "chosen",
    "conf_dir",
    "explain",
    "plain",
    "record",
    "register_schemas",
]
