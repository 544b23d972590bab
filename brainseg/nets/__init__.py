"""Networks: modules from tensors to logits, that know nothing of training."""

from brainseg.nets.folded import folded
from brainseg.nets.imagenet import load_imagenet
from brainseg.nets.menu import build_volume_net, sees_its_window
from brainseg.nets.slice_classifier import SliceClassifier
from brainseg.nets.types import build_type_net

__all__ = [
    "SliceClassifier",
    "build_type_net",
    "build_volume_net",
    "folded",
    "load_imagenet",
    "sees_its_window",
]
