"""The 2D classifier: a timm backbone that names the tumour in one slice."""

import logging
from pathlib import Path
from typing import Any

import torch
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

from brainseg.config import ClassifierConfig
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
        net = SliceClassifier(self.config.backbone, n, str(self.config.head), self.config.dropout)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        scores: dict[str, Metric | MetricCollection] = {
            "accuracy": MulticlassAccuracy(n, average="micro"),
            "f1_macro": MulticlassF1Score(n, average="macro"),
        }
        self.val_scores = MetricCollection(scores, prefix="val/")
        self.test_scores = self.val_scores.clone(prefix="test/")
        self.test_confusion = MulticlassConfusionMatrix(n)

    def initialise(self) -> None:
        if self.config.pretrained:
            weights = None if self.config.weights is None else Path(self.config.weights)
            log.info("%s", load_imagenet(self.net, weights))

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.log("val/loss", self.loss(logits, target), batch_size=len(x), sync_dist=True)
        self.val_scores.update(logits, target)
        self.log_dict(self.val_scores, prog_bar=True, batch_size=len(x))

    def test_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.test_scores.update(logits, target)
        self.test_confusion.update(logits, target)
        self.log_dict(self.test_scores, batch_size=len(x))

    @torch.no_grad()
    def probabilities(self, slices_BSS: torch.Tensor) -> torch.Tensor:
        """Class probabilities (B, K) of slices prepared by `prepare_slice`, uint8 (B, S, S)."""
        x = network_input(slices_BSS, self.config.preprocess).to(self.device)
        result: torch.Tensor = self(x).float().softmax(1)
        return result

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
