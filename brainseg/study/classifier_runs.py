"""What one run of the classifier left in its folder."""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import UserError
from brainseg.files.plain import read_json
from brainseg.metrics import confusion_matrix
from brainseg.reporting.curves import Curves, best_epoch, read_curves
from brainseg.runs.config import CONFIG, SPLIT, read_run_config, read_split, require
from brainseg.study.published import Cell

COLLAPSE_MARGIN = 0.02  # above the largest class's share; up to there naming it always is as good
_NO_CLASS = {"file", "part", "truth"}  # the columns of predictions.csv that are no probability
IMAGES = {"KaggleSlices": "Kaggle slices", "PhantomData": "phantoms (synthetic heads)"}
# What is read of every config, and what of those of a grid.
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "seed": int,
    "test": bool,
    "trainer.max_epochs": int,
    "classifier.backbone": str,
    "data._target_": str,
}
_NEEDED_OF_CELL: dict[str, type | tuple[type, ...]] = {
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
class Predictions:
    """What the best checkpoint guessed on the part that was scored."""

    part: str  # test, or val where there is no test part
    classes: tuple[str, ...]
    files: tuple[str, ...]
    truth: NDArray[np.int_]  # (N,) places in `classes`
    probabilities: NDArray[np.float64]  # (N, K)

    @property
    def guess(self) -> NDArray[np.int_]:
        """(N,) places in `classes`."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def confusion(self) -> NDArray[np.int_]:
        """Counts (K, K): rows are the truth, columns the guess."""
        return confusion_matrix(self.guess, self.truth, len(self.classes))


@dataclass(frozen=True)
class Run:
    """A job of a sweep, as far as it has come. Epochs count from 0."""

    cell: Cell
    seed: int
    state: State = State.not_started
    varied: str = ""  # what the sweep varies besides cell and seed, e.g. "data.fold=1"
    folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    epochs: int = 0  # wanted
    curves: Curves = field(default_factory=dict)  # of epochs that were trained to their end
    val_classes: Mapping[str, int] = field(
        default_factory=dict
    )  # slices of each class in the validation part
    scored: str = ""  # part and accuracy of the best checkpoint, e.g. "test: 0.9123"
    predictions: Predictions | None = None
    faults: tuple[str, ...] = ()

    @property
    def last_epoch(self) -> int | None:
        """The last one that was validated."""
        return max(self.curves.get("val/accuracy", {}), default=None)

    @property
    def accuracy(self) -> float | None:
        """Of the validation part after the last epoch, as Keras evaluates."""
        return None if self.last_epoch is None else self.curves["val/accuracy"][self.last_epoch]

    @property
    def loss(self) -> float | None:
        """Of the validation part after the last epoch; None also where it was not finite."""
        return None if self.last_epoch is None else self.curves.get("val/loss", {}).get(self.last_epoch)

    @property
    def train_loss(self) -> float | None:
        """Mean of the last epoch, where it is finite."""
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
        """Slices of the validation part that were right after the last epoch, and all of them.

        None where the accuracy is no whole number of the slices in split.json: only some batches were
        validated, or a sampler repeated some.
        """
        n = sum(self.val_classes.values())
        if not n or self.accuracy is None:
            return None
        right = round(self.accuracy * n)
        return (right, n) if abs(self.accuracy * n - right) < 0.01 else None  # float32 is 7e-5 off at 1143

    @cached_property
    def largest_share(self) -> float | None:
        """Of the validation part, the share of its most frequent class."""
        n = sum(self.val_classes.values())
        return max(self.val_classes.values()) / n if n else None

    @cached_property
    def collapse(self) -> str | None:
        """Why the network is taken to ignore its input; None if it is not."""
        share = self.largest_share
        if self.accuracy is not None and share is not None and self.accuracy <= share + COLLAPSE_MARGIN:
            return f"the largest class has {share:.1%}"
        if self.predictions is not None and len(np.unique(self.predictions.guess)) == 1:
            return f"all guesses are {self.predictions.classes[self.predictions.guess[0]]}"
        return None


def read_run(folder: Path) -> Run:
    """A run by its folder. What cannot be read is named in its faults and left out.

    Raises:
        UserError: Its config cannot be read, or it is no run of the classifier.
    """
    config = read_cell_config(folder / CONFIG)
    faults: list[str] = []
    split = _kept(faults, read_split, folder / SPLIT) or {}
    curves, wrong = _curves(folder / "metrics.csv")
    epochs = int(config["trainer"]["max_epochs"])
    validated = max(curves.get("val/accuracy", {}), default=-1) + 1
    # With test=false nothing is scored, and the last epoch is the end.
    done = (folder / "scores.json").is_file() or (not config["test"] and validated >= epochs)
    if done and wrong:  # one that goes on may have no metrics yet, or half a line of them
        faults.append(wrong)
    if done and 0 < validated < epochs:
        faults.append(f"{folder}: its numbers are of {validated} of {epochs} epochs")
    return Run(
        cell=cell_of(config),
        seed=int(config["seed"]),
        state=State.done if done else State.unfinished,
        folder=folder,
        settings=settings_of(config) | _slices(split),
        epochs=epochs,
        curves=curves,
        val_classes=Counter(Path(name).parent.name for name in split.get("val", [])),
        scored=_kept(faults, _scored, folder / "scores.json") or "",
        predictions=_kept(faults, read_predictions, folder / "predictions.csv"),
        faults=tuple(faults),
    )


def cell_of(config: Mapping[str, Any]) -> Cell:
    recipe = config["classifier"]
    return Cell(str(recipe["backbone"]), str(recipe["loss"]), str(recipe["optimizer"]))


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What the report's section 3.3 states of its grid, as this config has it."""
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


def read_config(path: Path) -> dict[str, Any]:
    """A config of the classifier as Hydra stored it, with its references filled in.

    Raises:
        UserError: It cannot be read, or is of another model.
    """
    config = read_run_config(path)
    if config.get("task") != "classifier":
        raise UserError(f"{path}: is no config of model=classifier")
    require(config, path, _NEEDED)
    return config


def read_cell_config(path: Path) -> dict[str, Any]:
    """The same, with all that `cell_of` and `settings_of` read."""
    config = read_config(path)
    require(config, path, _NEEDED_OF_CELL)
    return config


def _kept(faults: list[str], read: Any, path: Path) -> Any:
    """What `read` makes of a file, or None with the fault kept. A file that is not there yet is no fault."""
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except UserError as error:
        faults.append(str(error))
    except (OSError, ValueError) as error:
        faults.append(f"{path}: cannot be read ({type(error).__name__})")
    return None


def _scored(path: Path) -> str:
    """Part and accuracy, which is a number or has its interval beside it."""
    scores = read_json(path)
    try:
        accuracy = scores["accuracy"]
        value = accuracy["value"] if isinstance(accuracy, dict) else accuracy
        return f"{scores['part']}: {value:.4f}"
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: holds no part with its accuracy") from error


def _curves(metrics_csv: Path) -> tuple[Curves, str]:
    """The curves, or none and what is wrong."""
    try:
        return trained_curves(metrics_csv), ""
    except UserError as error:
        return {}, str(error)
    except (OSError, ValueError) as error:
        return {}, f"{metrics_csv}: cannot be read ({type(error).__name__})"


def trained_curves(metrics_csv: Path) -> Curves:
    """The curves of a run without what was logged after training.

    A run without a test part scores its best checkpoint on the validation part; Lightning logs that as one
    more epoch, which has a val/accuracy but no train/loss.
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
        UserError: The file has other columns, or a value that is no probability.
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
