"""What is done to a scan or slice before a network sees it, when training as when predicting."""

from brainseg.preprocess.slices import network_input, prepare_slice
from brainseg.preprocess.volumes import Prepared, prepare_labels, prepare_volume

__all__ = ["Prepared", "network_input", "prepare_labels", "prepare_slice", "prepare_volume"]
