"""One run of a cell of the grid: its settings, how far it has come, and its numbers."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from brainseg.config.errors import UserError
from brainseg.files.plain import read_json
from brainseg.reporting.curves import Curves, best_epoch
from brainseg.runs.config import CONFIG, SPLIT, read_split, require
from brainseg.study.classifier_files import (
    Predictions,
    read_classifier_config,
    read_predictions,
    read_trained_curves,
)
from brainseg.study.published import Cell

Read = TypeVar("Read")
COLLAPSE_MARGIN = 0.02  # above the share of the largest class
IMAGES = {"KaggleSlices": "Kaggle slices", "PhantomData": "phantoms (synthetic heads)"}
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "classifier.loss": str,
    "classifier.optimizer": str,
    "classifier.head": str,
    "classifier.batch_size": int,
    "classifier.pretrained": bool,
    "classifier.weights": (str, NoneType),
    "classifier.preprocess.size": int,
    "classifier.preprocess.normalise": str,
}


class State(StrEnum):
    """How far a job of a sweep has come."""

    done = "done"
    failed = "failed"  # it did not finish, and a later job was started
    unfinished = "running or failed"
    not_started = "not started"


@dataclass(frozen=True)
class CellRun:
    """A run of the grid, or a job that has not started yet. Epochs count from 0."""

    cell: Cell
    seed: int
    state: State = State.not_started
    varied: str = ""  # what the sweep varies besides cell and seed, e.g. "data.fold=1"
    folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    epochs: int = 0  # that the run was asked for
    curves: Curves = field(default_factory=dict)  # of the epochs that were trained to their end
    val_slices: tuple[str, ...] = ()  # of the validation part
    scored: str = ""  # part and accuracy of the best checkpoint, e.g. "test: 0.9123"
    predictions: Predictions | None = None
    faults: tuple[str, ...] = ()

    @cached_property
    def val_classes(self) -> Mapping[str, int]:
        """How many validation slices each class has."""
        return Counter(Path(name).parent.name for name in self.val_slices)

    @property
    def name(self) -> str:
        """What tells it from the other runs of its cell."""
        return f"seed {self.seed}" + (f", {self.varied}" if self.varied else "")

    @property
    def last_epoch(self) -> int | None:
        """The last one that was validated."""
        return max(self.curves.get("val/accuracy", {}), default=None)

    @property
    def epochs_said(self) -> str:
        """How many of its epochs were validated, e.g. "3 of 15 epochs"."""
        return f"{0 if self.last_epoch is None else self.last_epoch + 1} of {self.epochs} epochs"

    @property
    def accuracy(self) -> float | None:
        """The accuracy on the validation part after the last epoch, as Keras evaluates."""
        return None if self.last_epoch is None else self.curves["val/accuracy"][self.last_epoch]

    @property
    def loss(self) -> float | None:
        """The loss on the validation part after the last epoch; None also where it was not finite."""
        return None if self.last_epoch is None else self.curves.get("val/loss", {}).get(self.last_epoch)

    @property
    def train_loss(self) -> float | None:
        """The mean training loss of the last epoch, if it is finite."""
        return None if self.last_epoch is None else self.curves.get("train/loss", {}).get(self.last_epoch)

    @property
    def best_epoch(self) -> int | None:
        """The first one with the best accuracy on the validation part."""
        return best_epoch(self.curves, "val/accuracy", "max")

    @property
    def best_accuracy(self) -> float | None:
        return None if self.best_epoch is None else self.curves["val/accuracy"][self.best_epoch]

    @property
    def usable(self) -> bool:
        """Whether it counts in means: it went through, and its accuracy is known."""
        return self.state is State.done and self.accuracy is not None

    @property
    def count(self) -> tuple[int, int] | None:
        """How many slices of the validation part were right after the last epoch, and how many there are.

        None where the accuracy does not stand for a whole number of the slices in split.json: only some
        batches were validated, or a sampler repeated some.
        """
        n = sum(self.val_classes.values())
        if not n or self.accuracy is None:
            return None
        right = round(self.accuracy * n)
        return (right, n) if abs(self.accuracy * n - right) < 0.01 else None  # float32 is 7e-5 off at 1143

    @cached_property
    def largest_share(self) -> float | None:
        """The share of the most frequent class in the validation part."""
        n = sum(self.val_classes.values())
        return max(self.val_classes.values()) / n if n else None

    @cached_property
    def collapse(self) -> str | None:
        """Why the network seems to ignore its input; None if it does not."""
        share = self.largest_share
        if self.accuracy is not None and share is not None and is_collapsed(self.accuracy, share):
            return f"the largest class has {share:.1%}"
        if self.predictions is not None and len(np.unique(self.predictions.guess)) == 1:
            return f"all guesses are {self.predictions.classes[self.predictions.guess[0]]}"
        return None


def is_collapsed(accuracy: float, largest_share: float) -> bool:
    """Whether a network is about as good as one that always names the largest class."""
    return accuracy <= largest_share + COLLAPSE_MARGIN


def read_cell_run(folder: Path) -> CellRun:
    """The run in a folder. A file that cannot be read is left out and named in `faults`.

    Raises:
        UserError: Its config cannot be read, or it is not a run of the classifier.
    """
    config = read_cell_config(folder / CONFIG)
    split, split_fault = _read_if_there(read_split, folder / SPLIT)
    predictions, predictions_fault = _read_if_there(read_predictions, folder / "predictions.csv")
    scored, scored_fault = _read_if_there(_scored, folder / "scores.json")
    curves, curves_fault = _curves(folder / "metrics.csv")
    epochs = int(config["trainer"]["max_epochs"])
    validated = max(curves.get("val/accuracy", {}), default=-1) + 1
    # With test=false nothing is scored, and the last epoch is the end.
    done = (folder / "scores.json").is_file() or (not config["test"] and validated >= epochs)
    cut_short = ""
    if done and 0 < validated < epochs:
        cut_short = f"{folder}: its numbers are of {validated} of {epochs} epochs"
    if not done:  # one that goes on may have no metrics yet, or half a line of them
        curves_fault = ""
    return CellRun(
        cell=cell_of(config),
        seed=int(config["seed"]),
        state=State.done if done else State.unfinished,
        folder=folder,
        settings=settings_of(config) | _slices(split or {}),
        epochs=epochs,
        curves=curves,
        val_slices=tuple((split or {}).get("val", [])),
        scored=scored or "",
        predictions=predictions,
        faults=tuple(filter(None, (split_fault, curves_fault, cut_short, scored_fault, predictions_fault))),
    )


def cell_of(config: Mapping[str, Any]) -> Cell:
    recipe = config["classifier"]
    return Cell(str(recipe["backbone"]), str(recipe["loss"]), str(recipe["optimizer"]))


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What section 3.3 of the student report states about its grid, as this config has it."""
    recipe = config["classifier"]
    images = str(config["data"]["_target_"]).rpartition(".")[2]
    weights = "random"
    if recipe["pretrained"]:
        weights = "ImageNet" + (f" ({Path(recipe['weights']).name})" if recipe["weights"] else "")
    return {
        "images": IMAGES.get(images, images),
        "image side (pixels)": str(recipe["preprocess"]["size"]),
        "weights at the start": weights,
        "input values": str(recipe["preprocess"]["normalise"]),
        "head": str(recipe["head"]),
        "epochs": str(config["trainer"]["max_epochs"]),
        "batch size": str(recipe["batch_size"]),
    }


def _slices(split: Mapping[str, Any]) -> dict[str, str]:
    if not split:
        return {}
    train, val = len(split["train"]), len(split["val"])
    return {"training slices": f"{train} of {train + val}"}


def read_cell_config(path: Path) -> dict[str, Any]:
    """A config of the classifier with all that `cell_of` and `settings_of` read.

    Raises:
        UserError: It cannot be read, or is of another model.
    """
    config = read_classifier_config(path)
    require(config, path, _NEEDED)
    return config


def _read_if_there(read: Callable[[Path], Read], path: Path) -> tuple[Read | None, str]:
    """What `read` makes of a file, or None and what is wrong. A file that is not there yet is no fault."""
    try:
        return read(path), ""
    except FileNotFoundError:
        return None, ""
    except UserError as error:
        return None, str(error)
    except (OSError, ValueError) as error:
        return None, f"{path}: cannot be read ({type(error).__name__})"


def _scored(path: Path) -> str:
    """Part and accuracy. The accuracy is a number, or has its interval beside it."""
    scores = read_json(path)
    try:
        accuracy = scores["accuracy"]
        value = accuracy["value"] if isinstance(accuracy, dict) else accuracy
        return f"{scores['part']}: {value:.4f}"
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: holds no part with its accuracy") from error


def _curves(metrics_csv: Path) -> tuple[Curves, str]:
    """The curves, or none and what is wrong. Here it is a fault if the file is not there."""
    try:
        return read_trained_curves(metrics_csv), ""
    except UserError as error:
        return {}, str(error)
    except (OSError, ValueError) as error:
        return {}, f"{metrics_csv}: cannot be read ({type(error).__name__})"
