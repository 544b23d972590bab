"""How the classifier of volumes is trained and scored."""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import MetricCollection

from brainseg.images.planes import cut
from brainseg.inference import fit_temperature
from brainseg.tasks import types
from brainseg.tasks.base import TaskModule
from brainseg.trained.base import Batch
from brainseg.trained.volume_classifier import VolumeClassifierModel


class VolumeClassifier(TaskModule, VolumeClassifierModel):
    """The classifier of volumes in training."""

    def make_scores(self) -> MetricCollection:
        return types.type_scores(len(self.config.classes))

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[Batch] = []  # logits and truth of the part, batch by batch

    def score(self, batch: Batch, part: str) -> None:
        self.scored.append(types.score_types(self, batch, part, _middle_slice))

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        if self.trainer.state.fn == "fit":  # the part is whole in every process, so they all find the same
            self.fitted["temperature"] = fit_temperature(*self.scored_part())

    def scored_part(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (N, K) and class indices (N,) of the part validated or tested last, in its order."""
        return types.joined(self.scored)

    def case_scores(self) -> list[dict[str, float | str]]:
        return types.case_rows(*self.scored_part(), list(self.config.classes))


def _middle_slice(image_CXYZ: torch.Tensor) -> torch.Tensor:
    """The middle axial slice of the last sequence that is there, rows from front to back."""
    there = image_CXYZ.ne(0).flatten(1).any(dim=1).nonzero()
    channel = int(there[-1]) if len(there) else 0
    middle = image_CXYZ.shape[3] // 2
    volume = image_CXYZ[channel, :, :, middle : middle + 1].detach().cpu().numpy()
    return torch.from_numpy(np.ascontiguousarray(cut(volume, "axial", 0)))
