"""Networks: modules from tensors to logits, that know nothing of training."""

from brainseg.nets.menu import UNNORMALISED_NETS, VOLUME_NETS, build_volume_net
from brainseg.nets.residual_unet3d import ResidualUNet3D
from brainseg.nets.slice_classifier import LoadedWeights, SliceClassifier, load_imagenet
from brainseg.nets.unet3d import UNet3D

__all__ = [
    "UNNORMALISED_NETS",
    "VOLUME_NETS",
    "LoadedWeights",
    "ResidualUNet3D",
    "SliceClassifier",
    "UNet3D",
    "build_volume_net",
    "load_imagenet",
]
