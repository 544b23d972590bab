"""What a run of the classifier leaves in its folder: its config, curves and predictions."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import UserError
from brainseg.metrics import confusion_matrix
from brainseg.reporting.curves import Curves, read_curves
from brainseg.runs.config import read_run_config, require

_NO_CLASS = {"file", "part", "truth"}  # the columns of predictions.csv that hold no probability
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "seed": int,
    "test": bool,
    "trainer.max_epochs": int,
    "classifier.backbone": str,
    "data._target_": str,
}


@dataclass(frozen=True)
class Predictions:
    """What the best checkpoint says about the slices of the part that was scored."""

    part: str  # test, or val where there is no test part
    classes: tuple[str, ...]
    files: tuple[str, ...]
    truth: NDArray[np.int_]  # (N,) places in `classes`
    probabilities: NDArray[np.float64]  # (N, K)

    @property
    def guess(self) -> NDArray[np.int_]:
        """(N,) places in `classes`."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def confusion(self) -> NDArray[np.int64]:
        """Counts (K, K): rows are the truth, columns the guess."""
        return confusion_matrix(self.guess, self.truth, len(self.classes))


def read_classifier_config(path: Path) -> dict[str, Any]:
    """A config of the classifier as Hydra stored it, with its references filled in.

    Raises:
        UserError: It cannot be read, or is of another model.
    """
    config = read_run_config(path)
    if config.get("task") != "classifier":
        raise UserError(
            f"{path} is not a config of model=classifier; give a run or a sweep of the classifier"
        )
    require(config, path, _NEEDED)
    return config


def read_trained_curves(metrics_csv: Path) -> Curves:
    """The curves of a run without what was logged after training.

    A run without a test part scores its best checkpoint on the validation part. Lightning logs that as one
    more epoch, which has a val/accuracy but no train/loss.

    Raises:
        UserError: The file is not there, or holds no row with an epoch.
    """
    curves = read_curves(metrics_csv)
    with metrics_csv.open(newline="") as file:
        # Not taken from the curves: they leave out a loss that is not finite, and the epoch was trained.
        trained = [int(row["epoch"]) for row in csv.DictReader(file) if row.get("train/loss")]
    last = max(trained, default=-1)
    kept = {name: {e: value for e, value in curve.items() if e <= last} for name, curve in curves.items()}
    return {name: curve for name, curve in kept.items() if curve}


def read_predictions(path: Path) -> Predictions:
    """The predictions of a run: file, part, truth, and a probability for each class.

    Raises:
        UserError: The file has other columns, or a value that is not a probability.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        classes = tuple(name for name in rows[0] if name not in _NO_CLASS)
        probabilities = np.array([[float(row[name]) for name in classes] for row in rows])
        truth = [classes.index(row["truth"]) for row in rows]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: needs file, part, truth and a column of probabilities for each class ({error})"
        ) from error
    files = tuple(row["file"] for row in rows)
    return Predictions(rows[0]["part"], classes, files, np.array(truth), probabilities)
