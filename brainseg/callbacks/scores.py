"""What a classifier's scores are made of, file by file, and the scores."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from brainseg.callbacks.cases import names_and_subjects
from brainseg.callbacks.loggers import Scored, dashboards
from brainseg.callbacks.warn_once import WarnOnce
from brainseg.files.atomic import writing
from brainseg.inference import calibrated
from brainseg.metrics import classification_scores, confusion_matrix
from brainseg.reporting.confusion import draw_confusion
from brainseg.tasks import Classifier, VolumeClassifier


class SliceScores(pl.Callback):
    """Writes predictions.csv, scores.json and confusion.png of the part that is scored after training.

    That is the test part, or the validation part where there is no other. Tasks that name no types have none.

    Args:
        folder: Where the files go. Dashboards get all of them, W&B and TensorBoard with charts of their own.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._failures = WarnOnce()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer, pl_module, "test")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "val")

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule, part: str) -> None:
        if not isinstance(module, Classifier | VolumeClassifier) or not trainer.is_global_zero:
            return
        logits, truth = module.scored_part()
        classes = list(module.config.classes)
        probabilities = calibrated(logits, module.temperature)
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        n = len(truth)  # fewer than the part has, where trainer.limit_*_batches says so
        names, subjects = (values[:n] for values in names_and_subjects(data, part))
        patients = getattr(data, "patients", {})
        subjects = [patients.get(one, one) for one in subjects]  # the scans of one are no two draws
        write_predictions(self.folder / "predictions.csv", part, names, truth, probabilities, classes)
        png = self.folder / "confusion.png"
        with self._failures.within(png.name):
            draw_confusion(confusion_matrix(probabilities.argmax(1), truth, len(classes)), classes, png)
        about = {"part": part, "temperature": module.temperature}
        scores = write_scores(self.folder / "scores.json", about, logits, truth, classes, subjects)
        with self._failures.within("the charts of the scores"):
            for board in dashboards(trainer):
                board.show_scores(Scored(part, scores, truth, probabilities, classes, png))


def write_predictions(
    path: Path,
    part: str,
    names: Sequence[str],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
) -> None:
    """A row for each slice, or scan: file, part, true class, and the calibrated probability of each class."""
    with writing(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "part", "truth", *classes])
        for name, index, row in zip(names, truth.tolist(), probabilities.tolist(), strict=True):
            table.writerow([name, part, classes[index], *(f"{p:.6f}" for p in row)])


def write_scores(
    path: Path,
    about: dict[str, Any],
    logits: NDArray[np.float32],
    truth: NDArray[np.int64],
    classes: Sequence[str],
    subjects: Sequence[str],
) -> dict[str, Any]:
    """Write all scores of calibrated probabilities; "uncalibrated" has those that calibration changes."""
    raw = classification_scores(calibrated(logits, 1.0), truth, classes, subjects)
    scores = classification_scores(calibrated(logits, about["temperature"]), truth, classes, subjects)
    before = {name: raw[name] for name in ("calibration_error", "cross_entropy")}
    written = {**about, **scores, "uncalibrated": before}
    with writing(path) as temporary:
        temporary.write_text(json.dumps(written, indent=1) + "\n")
    return written
