"""`brainseg report classifier`: what a run of the classifier is worth, and on which split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from brainseg.config.errors import UserError
from brainseg.files.plain import read_json
from brainseg.metrics.classification import OVERALL, PER_CLASS
from brainseg.reporting.confusion import confusion_figure
from brainseg.reporting.curves import curves_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.sections import NOTHING, Entry, Picture, Section, Table, table_of, write_report
from brainseg.runs.config import CONFIG, at, require
from brainseg.study.classifier_runs import Predictions, read_config, read_predictions, trained_curves
from brainseg.study.probabilities import reliability_figure, roc_figure

SPLITS = {
    "random": "slices are drawn one by one, so copies of a slice stand on both sides",
    "grouped": "copies of a slice stay on one side",
    "official": "the published Testing folder chooses the best epoch and scores it",
}
PARTS = {"test": "test part", "val": "validation part"}
SUREST = 20  # mistakes that are listed
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "data.split": str,
    "classifier.monitor": str,
    "classifier.monitor_mode": str,
}


@dataclass(frozen=True)
class ScoredRun:
    """A run that was scored."""

    folder: Path
    config: Mapping[str, Any]
    scores: Mapping[str, Any]

    @property
    def split(self) -> str:
        return str(self.config["data"]["split"])

    @property
    def recipe(self) -> tuple[Any, ...]:
        """What two runs must share to be compared by their splits."""
        data = {key: value for key, value in self.config["data"].items() if key not in ("split", "seed")}
        return self.config["classifier"], data


@dataclass(frozen=True)
class Summary:
    """What is said on the command line."""

    lines: tuple[str, ...]
    page: Path


def write_classifier_report(folder: Path, output: Path | None = None) -> Summary:
    """Write the page of a run of model=classifier that went through.

    Args:
        folder: Of the run, with scores.json and predictions.csv.
        output: Where classifier.html and classifier.md go; None: <folder>/report.

    Raises:
        UserError: The folder holds no such run.
    """
    run = _read(folder)
    predictions = read_predictions(folder / "predictions.csv")
    others = _beside(run)
    page = write_report(
        folder / "report" if output is None else output,
        "classifier",
        f"Classifier: {folder.resolve().name}",
        [
            _overview(run, others),
            _scores(run),
            _calibration(run, predictions),
            _by_class(run, predictions),
            _curves(run),
            _mistakes(predictions),
        ],
    )
    lines = [f"{one.split}: accuracy {_estimate(one.scores['accuracy'])}" for one in (run, *others.values())]
    return Summary((*lines, *(f"{split}: not run" for split in _missing(run, others))), page)


def _read(folder: Path) -> ScoredRun:
    path = folder / "scores.json"
    if not path.is_file():
        raise UserError(f"{folder}: has no scores.json, so it is no run of the classifier that went through")
    config = read_config(folder / CONFIG)
    require(config, folder / CONFIG, _NEEDED)
    scores = read_json(path)
    _check_scores(scores, path)
    return ScoredRun(folder, config, scores)


def _check_scores(scores: Mapping[str, Any], path: Path) -> None:
    """Refuse what `write_scores` has not written.

    Raises:
        UserError: The message names what is missing, or is something else.
    """
    require(scores, path, {"part": str, "n": int, "subjects": int, "temperature": float, "classes": dict})
    if scores["part"] not in PARTS:
        raise UserError(f"{path}: part is {scores['part'][:60]}, but must be one of {', '.join(PARTS)}")
    require(scores, path, {f"classes.{name}.n": int for name in scores["classes"]})
    overall = [*OVERALL, "uncalibrated.calibration_error"]
    for key in [*overall, *(f"classes.{name}.{score}" for name in scores["classes"] for score in PER_CLASS)]:
        require(scores, path, {key: (dict, NoneType)})
        if isinstance(at(scores, key), dict):
            require(scores, path, {f"{key}.{end}": (float, int) for end in ("value", "low", "high")})


def _beside(run: ScoredRun) -> dict[str, ScoredRun]:
    """The newest run of each other split with the same settings, out of the folder that this one lies in."""
    found: dict[str, ScoredRun] = {}
    folders = {path.parent for path in run.folder.resolve().parent.glob("*/scores.json")}
    for folder in sorted(folders, key=lambda folder: (folder / "scores.json").stat().st_mtime):
        try:
            other = _read(folder)
        except UserError:
            continue  # its own report says what is wrong with it
        if other.split != run.split and other.recipe == run.recipe:
            found[other.split] = other
    return found


def _missing(run: ScoredRun, others: Mapping[str, ScoredRun]) -> list[str]:
    return [split for split in ("random", "grouped") if split != run.split and split not in others]


def _overview(run: ScoredRun, others: Mapping[str, ScoredRun]) -> Section:
    rows = [_split_row(one, own=one is run) for one in (run, *others.values())]
    for split in _missing(run, others):
        rows.append(
            [Entry(split, SPLITS[split]), f"not run: the same command with data.split={split}", "", ""]
        )
    part = run.scores["part"]
    said = [
        f"Accuracy {_estimate(run.scores['accuracy'])} on the {PARTS[part]} of {run.scores['n']} slices, "
        f"split {run.split}."
    ]
    if part == "val" or run.split == "official":
        said.append(
            "These slices chose the best epoch and fitted the temperature: the scores are a little too good."
        )
    return Section(
        paragraphs=said,
        tables=[table_of("Accuracy by split", ("split", "accuracy", "slices", "run"), rows)],
    )


def _split_row(run: ScoredRun, *, own: bool) -> list[str | Entry]:
    part = f"{run.scores['n']} ({PARTS[run.scores['part']]})"
    accuracy = Entry(_estimate(run.scores["accuracy"]), mark="best" if own else "")
    return [Entry(run.split, SPLITS.get(run.split, "")), accuracy, part, run.folder.resolve().name]


def _scores(run: ScoredRun) -> Section:
    overall = [
        [name, _estimate(run.scores[key])]
        for key, name in (
            ("accuracy", "accuracy"),
            ("f1_macro", "F1, mean of the classes"),
            ("roc_auc_macro", "area under the ROC curve, mean of the classes"),
            ("cross_entropy", "cross-entropy"),
        )
    ]
    names = ("precision", "recall", "f1", "roc_auc")
    by_class = [
        [name, str(own["n"]), *(_estimate(own[score]) for score in names)]
        for name, own in run.scores["classes"].items()
    ]
    return Section(
        "Scores",
        paragraphs=[
            f"Intervals are of 95 %, from 1000 resamples of {_resampled(run.scores)}. Patients whose slices "
            "are not known to belong together count as several: the true intervals are wider."
        ],
        tables=[
            table_of("Over all classes", ("score", "value"), overall),
            table_of("By class", ("class", "slices", "precision", "recall", "F1", "ROC area"), by_class),
        ],
    )


def _resampled(scores: Mapping[str, Any]) -> str:
    n, subjects = scores["n"], scores["subjects"]
    if n == subjects:
        return "the slices"
    return f"{subjects} subjects with {n} slices; copies of a slice count as one subject"


def _calibration(run: ScoredRun, predictions: Predictions) -> Section:
    before, after = run.scores["uncalibrated"]["calibration_error"], run.scores["calibration_error"]
    rows = [
        ["as the network says", _estimate(before)],
        [f"at temperature {run.scores['temperature']:.3f}", _estimate(after)],
    ]
    figure = reliability_figure(predictions.probabilities, predictions.truth)
    return Section(
        "Calibration",
        paragraphs=[
            "The temperature was fitted on the validation part of the epoch and is stored in the checkpoint; "
            "prediction uses it. It changes no guess."
        ],
        tables=[table_of("Expected calibration error, 15 bins", ("probabilities", "error"), rows)],
        pictures=[Picture(inline_figure(figure), "Certainty of the guess against its being right")],
    )


def _by_class(run: ScoredRun, predictions: Predictions) -> Section:
    matrix = confusion_figure(predictions.confusion(), predictions.classes)
    roc = roc_figure(predictions.probabilities, predictions.truth, predictions.classes)
    return Section(
        "Classes",
        pictures=[
            Picture(inline_figure(matrix), f"Confusion matrix of the {PARTS[run.scores['part']]}"),
            Picture(inline_figure(roc), "ROC curves, each class against the rest"),
        ],
    )


def _curves(run: ScoredRun) -> Section:
    config = run.config["classifier"]
    curves = trained_curves(run.folder / "metrics.csv")
    figure = curves_figure(curves, monitor=config["monitor"], mode=config["monitor_mode"])
    return Section("Training", pictures=[Picture(inline_figure(figure), "By epoch; the best one is marked")])


def _mistakes(predictions: Predictions) -> Section:
    sure, wrong = predictions.probabilities.max(axis=1), predictions.guess != predictions.truth
    order = sorted(np.flatnonzero(wrong).tolist(), key=lambda i: -sure[i])
    rows = [
        [predictions.files[i], *(predictions.classes[k[i]] for k in (predictions.truth, predictions.guess)),
         f"{sure[i]:.3f}"]
        for i in order[:SUREST]
    ]  # fmt: skip
    said = f"{len(order)} of {len(sure)} slices are wrong" + (
        f"; the {SUREST} surest:" if len(order) > SUREST else "."
    )
    table: Sequence[Table] = (
        [table_of("Mistakes", ("file", "truth", "guess", "certainty"), rows)] if rows else []
    )
    return Section("Mistakes", paragraphs=[said], tables=table)


def _estimate(score: Mapping[str, float] | None) -> str:
    if score is None:
        return NOTHING
    return f"{score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f})"
