"""The models as prediction needs them, by the name that model=... gives them."""

from brainseg.trained.base import Model
from brainseg.trained.classifier import ClassifierModel
from brainseg.trained.ensemble import Ensemble
from brainseg.trained.segmenter import SegmenterModel
from brainseg.trained.skullstripper import SkullStripperModel
from brainseg.trained.volume_classifier import VolumeClassifierModel

__all__ = [
    "MODELS",
    "ClassifierModel",
    "Ensemble",
    "Model",
    "SegmenterModel",
    "SkullStripperModel",
    "VolumeClassifierModel",
]

MODELS: dict[str, type[Model]] = {
    "classifier": ClassifierModel,
    "skullstripper": SkullStripperModel,
    "segmenter": SegmenterModel,
    "volume_classifier": VolumeClassifierModel,
}
