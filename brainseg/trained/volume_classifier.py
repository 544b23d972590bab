"""The 3D classifier: names the tumour in a whole scan without skull."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config import VolumeClassifierConfig
from brainseg.inference import calibrated
from brainseg.nets import build_type_net
from brainseg.preprocess.cubes import in_cube
from brainseg.trained.base import Model


class VolumeClassifierModel(Model):
    """Cubes (B, C, S, S, S), C in the order of `preprocess.modalities`, to logits (B, K) of `config.classes`.

    A sequence that is not there is 0 throughout. A model of subsets of its sequences also sees which of them
    there are, as C more channels of 0 or 1.
    """

    task = "volume_classifier"
    schema = VolumeClassifierConfig
    config: VolumeClassifierConfig

    @cached_property
    def subsets(self) -> list[list[str]]:
        """The subsets of its sequences that the model is trained for, beside all of them."""
        return self.config.trained_subsets()

    def make_net(self) -> torch.nn.Module:
        modalities = len(self.config.preprocess.modalities)
        return build_type_net(
            str(self.config.net),
            2 * modalities if self.subsets else modalities,
            len(self.config.classes),
            self.config.channels,
            self.config.dropout,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, K); channels that are 0 throughout count as sequences that are not there."""
        if self.subsets:
            there = x.ne(0).flatten(2).any(dim=2).to(x)[:, :, None, None, None]
            x = torch.cat([x, there.expand(x.shape)], dim=1)
        return super().forward(x)

    @property
    def temperature(self) -> float:
        """Logits are divided by it; 1 before a validation part has been seen."""
        return float(self.fitted.get("temperature", 1.0))

    def seen(self, image_CXYZ: torch.Tensor, sequences: Sequence[str] | None = None) -> torch.Tensor:
        """What the network sees of a prepared scan: its cube (1, C, S, S, S).

        Args:
            image_CXYZ: All channels; those of sequences that are not there are not looked at.
            sequences: Those that are there, one of the trained subsets; None, or a model of any one
                sequence: all.
        """
        every = self.config.preprocess.modalities
        if sequences is not None and len(every) > 1:
            there = torch.tensor([float(name in sequences) for name in every])
            image_CXYZ = image_CXYZ * there[:, None, None, None].to(image_CXYZ)
        return in_cube(image_CXYZ, self.config.side)[None].to(self.device)

    @torch.no_grad()
    def probabilities(
        self, image_CXYZ: torch.Tensor, sequences: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Calibrated class probabilities (K,) of a prepared scan; the arguments are those of `seen`."""
        logits = self(self.seen(image_CXYZ, sequences)).float().cpu().numpy()
        return np.asarray(calibrated(logits, self.temperature)[0])
