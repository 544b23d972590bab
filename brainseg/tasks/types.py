"""What the training of the two models that name a tumour's type shares: scoring slices or scans."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from brainseg.tasks.preview import Preview, ScoredCase
from brainseg.trained.base import Batch


def type_scores(classes: int) -> MetricCollection:
    """What a part is scored by."""
    scores: dict[str, Metric | MetricCollection] = {
        "accuracy": MulticlassAccuracy(classes, average="micro"),
        "f1_macro": MulticlassF1Score(classes, average="macro"),
    }
    return MetricCollection(scores)


def score_types(module: Any, batch: Batch, part: str, shown: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
    """Count the accuracy of a batch in `module.scores[part]`, and log its loss where the part is val.

    Args:
        module: The task.
        batch: Images and their classes (B,).
        part: val or test.
        shown: From an image (C, ...) to what a picture shows of it, (H, W).

    Returns:
        Logits (B, K) and classes, on the CPU.
    """
    x, target = batch
    logits = module(x)
    if part == "val":
        module.log_loss(part, logits, target)
    module.scores[part].update(logits, target)
    logits, truth = logits.float().cpu(), target.cpu()
    for image, true, own in zip(x, truth.tolist(), logits, strict=True):
        module.show_case(partial(_scored_image, image, shown, true, own, list(module.config.classes)))
    return logits, truth


def joined(scored: Sequence[Batch]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits (N, K) and class indices (N,) of scored batches."""
    logits, truth = (torch.cat(values).numpy() for values in zip(*scored, strict=True))
    return logits, truth


def case_rows(
    logits: NDArray[np.float32], truth: NDArray[np.int64], names: Sequence[str]
) -> list[dict[str, float | str]]:
    """The row of each case, of logits (N, K): its true class (N,), the guess, and whether that is right."""
    return [
        {"truth": names[true], "guess": names[guess], "accuracy": float(true == guess)}
        for true, guess in zip(truth.tolist(), logits.argmax(axis=1).tolist(), strict=True)
    ]


def _scored_image(
    image: torch.Tensor,
    shown: Callable[[torch.Tensor], torch.Tensor],
    truth: int,
    logits_K: torch.Tensor,
    names: Sequence[str],
    index: int,
) -> ScoredCase:
    probabilities = logits_K.softmax(0).tolist()
    guess = int(logits_K.argmax())
    caption = f"truth {names[truth]}, guess {names[guess]} {probabilities[guess]:.2f}"
    values = {"truth": names[truth], "guess": names[guess], **dict(zip(names, probabilities, strict=True))}

    def preview() -> Preview:
        return Preview(image=shown(image).float().cpu().numpy(), caption=caption, correct=guess == truth)

    return ScoredCase(index, names[truth], probabilities[truth], values, preview)
