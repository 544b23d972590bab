"""The 2D classifier: a timm backbone that names the tumour in one slice."""

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config import ClassifierConfig
from brainseg.inference import calibrated
from brainseg.nets import SliceClassifier
from brainseg.preprocess.slices import network_input
from brainseg.trained.base import Model


class ClassifierModel(Model):
    """Slices (B, 3, S, S) to logits (B, K) over `config.classes`."""

    task = "classifier"
    schema = ClassifierConfig
    config: ClassifierConfig
    net: SliceClassifier

    def make_net(self) -> SliceClassifier:
        return SliceClassifier(
            self.config.backbone,
            len(self.config.classes),
            str(self.config.head),
            self.config.dropout,
            head_init=str(self.config.head_init),
            drop_path=self.config.drop_path,
            batch_norm_eps=self.config.batch_norm_eps,
            batch_norm_momentum=self.config.batch_norm_momentum,
        )

    @property
    def temperature(self) -> float:
        """Logits are divided by it; 1 before a validation part has been seen."""
        return float(self.fitted.get("temperature", 1.0))

    @torch.no_grad()
    def probabilities(self, slices_BSS: torch.Tensor) -> NDArray[np.float64]:
        """Calibrated class probabilities (B, K) of slices prepared by `prepare_slice`, uint8 (B, S, S)."""
        x = network_input(slices_BSS, self.config.preprocess).to(self.device)
        return calibrated(self(x).float().cpu().numpy(), self.temperature)
