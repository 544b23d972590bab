"""The 2D classifier: a timm backbone that names the tumour in one slice."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from brainseg.config import ClassifierConfig
from brainseg.inference import calibrated, fit_temperature
from brainseg.nets import SliceClassifier, load_imagenet
from brainseg.preprocess.slices import network_input
from brainseg.tasks.base import Batch, TaskModule
from brainseg.tasks.preview import Preview, ScoredCase

log = logging.getLogger("brainseg")


class Classifier(TaskModule):
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

    @property
    def temperature(self) -> float:
        """Logits are divided by it; 1 before a validation part has been seen."""
        return float(self.fitted.get("temperature", 1.0))

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
        logits, truth = self.scored_part()
        names = self.config.classes
        return [
            {"truth": names[true], "guess": names[guess], "accuracy": float(true == guess)}
            for true, guess in zip(truth.tolist(), logits.argmax(axis=1).tolist(), strict=True)
        ]

    @torch.no_grad()
    def probabilities(self, slices_BSS: torch.Tensor) -> NDArray[np.float64]:
        """Calibrated class probabilities (B, K) of slices prepared by `prepare_slice`, uint8 (B, S, S)."""
        x = network_input(slices_BSS, self.config.preprocess).to(self.device)
        return calibrated(self(x).float().cpu().numpy(), self.temperature)


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
