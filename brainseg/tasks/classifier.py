"""How the classifier is trained and scored."""

import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import MetricCollection

from brainseg.inference import fit_temperature
from brainseg.nets import load_imagenet
from brainseg.tasks import types
from brainseg.tasks.base import TaskModule
from brainseg.trained.base import Batch
from brainseg.trained.classifier import ClassifierModel

log = logging.getLogger("brainseg")


class Classifier(TaskModule, ClassifierModel):
    """The classifier in training."""

    def make_scores(self) -> MetricCollection:
        return types.type_scores(len(self.config.classes))

    def initialise(self) -> None:
        if self.config.pretrained:
            weights = None if self.config.weights is None else Path(self.config.weights)
            log.info("%s", load_imagenet(self.net, weights))

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[Batch] = []  # logits and truth of the part, batch by batch

    def score(self, batch: Batch, part: str) -> None:
        self.scored.append(types.score_types(self, batch, part, _first_channel))

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        if self.trainer.state.fn == "fit":  # the part is whole in every process, so they all find the same
            self.fitted["temperature"] = fit_temperature(*self.scored_part())

    def scored_part(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (N, K) and class indices (N,) of the part validated or tested last, in its order."""
        return types.joined(self.scored)

    def case_scores(self) -> list[dict[str, float | str]]:
        return types.case_rows(*self.scored_part(), list(self.config.classes))


def _first_channel(slice_CHW: torch.Tensor) -> torch.Tensor:
    return slice_CHW[0]
