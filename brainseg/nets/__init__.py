"""Networks: modules from tensors to logits, that know nothing of training."""

from brainseg.nets.folded import folded
from brainseg.nets.imagenet import load_imagenet
from brainseg.nets.menu import VOLUME_NETS, build_volume_net, sees_its_window
from brainseg.nets.residual_unet3d import ResidualUNet3D
from brainseg.nets.slice_classifier import SliceClassifier
from brainseg.nets.unet3d import UNet3D

__all__ = [
    "VOLUME_NETS",
    "ResidualUNet3D",
    "SliceClassifier",
    "UNet3D",
    "build_volume_net",
    "folded",
    "load_imagenet",
    "sees_its_window",
]
