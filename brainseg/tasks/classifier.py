"""The 2D classifier: a timm backbone that names the tumour in one slice."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from brainseg.config import ClassifierConfig
from brainseg.inference import calibrated, fit_temperature
from brainseg.nets import SliceClassifier, load_imagenet
from brainseg.preprocess.slices import network_input
from brainseg.tasks.base import TaskModule
from brainseg.tasks.preview import Preview

log = logging.getLogger("brainseg")


class Classifier(TaskModule):
    """Slices (B, 3, S, S) to logits (B, K) over `config.classes`."""

    task = "classifier"
    schema = ClassifierConfig
    config: ClassifierConfig
    net: SliceClassifier

    def __init__(
        self,
        config: dict[str, Any],
        loss: dict[str, Any] | None = None,
        optimizer: dict[str, Any] | None = None,
        scheduler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(config, loss, optimizer, scheduler)
        n = len(self.config.classes)
        net = SliceClassifier(
            self.config.backbone,
            n,
            str(self.config.head),
            self.config.dropout,
            head_init=str(self.config.head_init),
            drop_path=self.config.drop_path,
            batch_norm_eps=self.config.batch_norm_eps,
            batch_norm_momentum=self.config.batch_norm_momentum,
        )
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        scores: dict[str, Metric | MetricCollection] = {
            "accuracy": MulticlassAccuracy(n, average="micro"),
            "f1_macro": MulticlassF1Score(n, average="macro"),
        }
        self.val_scores = MetricCollection(scores, prefix="val/")
        self.test_scores = self.val_scores.clone(prefix="test/")
        self.scored: list[tuple[torch.Tensor, torch.Tensor]] = []  # logits and truth of the last part scored

    def initialise(self) -> None:
        if self.config.pretrained:
            weights = None if self.config.weights is None else Path(self.config.weights)
            log.info("%s", load_imagenet(self.net, weights))

    @property
    def temperature(self) -> float:
        """Logits are divided by it; 1 before a validation part has been seen."""
        return float(self.fitted.get("temperature", 1.0))

    def on_validation_epoch_start(self) -> None:
        self.scored = []

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.log("val/loss", self.loss(logits, target), batch_size=len(x), sync_dist=True)
        self.val_scores.update(logits, target)
        self.log_dict(self.val_scores, prog_bar=True, batch_size=len(x))
        self.scored.append((logits.float().cpu(), target.cpu()))

    def on_validation_epoch_end(self) -> None:
        if self.trainer.state.fn == "fit":  # the part is whole in every process, so they all find the same
            self.fitted["temperature"] = fit_temperature(*self.scored_part())

    def on_test_epoch_start(self) -> None:
        self.scored = []

    def test_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.test_scores.update(logits, target)
        self.log_dict(self.test_scores, batch_size=len(x))
        self.scored.append((logits.float().cpu(), target.cpu()))

    def scored_part(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (N, K) and class indices (N,) of the part validated or tested last, in its order."""
        logits, truth = (torch.cat(values).numpy() for values in zip(*self.scored, strict=True))
        return logits, truth

    @torch.no_grad()
    def probabilities(self, slices_BSS: torch.Tensor) -> NDArray[np.float64]:
        """Calibrated class probabilities (B, K) of slices prepared by `prepare_slice`, uint8 (B, S, S)."""
        x = network_input(slices_BSS, self.config.preprocess).to(self.device)
        return calibrated(self(x).float().cpu().numpy(), self.temperature)

    @torch.no_grad()
    def previews(self, batch: tuple[torch.Tensor, torch.Tensor]) -> list[Preview]:
        x, target = batch
        probabilities = self(x).float().softmax(1).cpu()
        pictures = []
        for image, truth, p in zip(x.cpu(), target.tolist(), probabilities, strict=True):
            guess = int(p.argmax())
            names = self.config.classes
            caption = f"truth {names[truth]}, guess {names[guess]} {float(p[guess]):.2f}"
            pictures.append(Preview(image=image[0].numpy(), caption=caption, correct=guess == truth))
        return pictures
