"""How a template becomes a scan as prediction would show it to the network: on the CPU, or on the device."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from brainseg.config import VolumePreprocess
from brainseg.data.cache import Arrays
from brainseg.images.volume import Volume
from brainseg.phantom.scanners import Random
from brainseg.phantom.templates import Template, grid_of
from brainseg.phantom.tissues import Tissues, tissues_of
from brainseg.preprocess.on_device import prepared_tensors
from brainseg.preprocess.volumes import prepare_labels, prepare_volume


@dataclass(frozen=True)
class Painter:
    """It goes to the loaders' processes, so it is made of what can be sent there.

    Args:
        paint: An image (C, X, Y, Z) and labels (X, Y, Z) of what a template holds, on its device.
        how: What prediction does to a scan.
    """

    paint: Callable[[Tissues, Random], tuple[Tensor, Tensor]]
    how: VolumePreprocess

    def on_cpu(self, template: Template, seed: int) -> Arrays:
        """Image, float32 (C, X, Y, Z), and truth, uint8 (X, Y, Z)."""
        image, labels = self.paint(tissues_of(template), Random(seed))
        grid = grid_of(labels.shape, template.spacing_mm)
        prepared = prepare_volume(Volume(image.numpy(), grid), self.how)
        truth = prepare_labels(Volume(labels.numpy()[None].astype(np.uint8), grid), prepared)
        return {"image": prepared.image, "truth": truth}

    def on_device(self, tissues: Tissues, seed: int) -> tuple[Tensor, Tensor]:
        """The same of tensors, on the device that they are on, but for rounding and what grains change."""
        image, labels = self.paint(tissues, Random(seed, tissues.parts.device))
        return prepared_tensors(image, labels, tissues.spacing_mm, self.how)
