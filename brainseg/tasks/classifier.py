"""How the classifier is trained and scored."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from brainseg.inference import fit_temperature
from brainseg.nets import load_imagenet
from brainseg.tasks.base import TaskModule
from brainseg.tasks.preview import Preview, ScoredCase
from brainseg.trained.base import Batch
from brainseg.trained.classifier import ClassifierModel

log = logging.getLogger("brainseg")


class Classifier(TaskModule, ClassifierModel):
    """The classifier in training."""

    def make_scores(self) -> MetricCollection:
        n = len(self.config.classes)
        scores: dict[str, Metric | MetricCollection] = {
            "accuracy": MulticlassAccuracy(n, average="micro"),
            "f1_macro": MulticlassF1Score(n, average="macro"),
        }
        return MetricCollection(scores)

    def initialise(self) -> None:
        if self.config.pretrained:
            weights = None if self.config.weights is None else Path(self.config.weights)
            log.info("%s", load_imagenet(self.net, weights))

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[Batch] = []  # logits and truth of the part, batch by batch

    def score(self, batch: Batch, part: str) -> None:
        x, target = batch
        logits = self(x)
        if part == "val":
            self.log_loss(part, logits, target)
        self._scores_of(part).update(logits, target)
        logits, truth = logits.float().cpu(), target.cpu()
        self.scored.append((logits, truth))
        for image, true, own in zip(x, truth.tolist(), logits, strict=True):
            self.show_case(partial(_scored_slice, image[0], true, own, list(self.config.classes)))

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        if self.trainer.state.fn == "fit":  # the part is whole in every process, so they all find the same
            self.fitted["temperature"] = fit_temperature(*self.scored_part())

    def scored_part(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (N, K) and class indices (N,) of the part validated or tested last, in its order."""
        logits, truth = (torch.cat(values).numpy() for values in zip(*self.scored, strict=True))
        return logits, truth

    def case_scores(self) -> list[dict[str, float | str]]:
        return slice_scores(*self.scored_part(), list(self.config.classes))


def slice_scores(
    logits: NDArray[np.float32], truth: NDArray[np.int64], names: Sequence[str]
) -> list[dict[str, float | str]]:
    """The row of each slice, of logits (N, K): its true class (N,), the guess, and whether that is right."""
    return [
        {"truth": names[true], "guess": names[guess], "accuracy": float(true == guess)}
        for true, guess in zip(truth.tolist(), logits.argmax(axis=1).tolist(), strict=True)
    ]


def _scored_slice(
    image_HW: torch.Tensor, truth: int, logits_K: torch.Tensor, names: Sequence[str], index: int
) -> ScoredCase:
    probabilities = logits_K.softmax(0).tolist()
    guess = int(logits_K.argmax())
    caption = f"truth {names[truth]}, guess {names[guess]} {probabilities[guess]:.2f}"
    values = {"truth": names[truth], "guess": names[guess], **dict(zip(names, probabilities, strict=True))}

    def preview() -> Preview:
        return Preview(image=image_HW.float().cpu().numpy(), caption=caption, correct=guess == truth)

    return ScoredCase(index, names[truth], probabilities[truth], values, preview)
