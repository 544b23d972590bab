"""`brainseg study classifier`: the page of one run of the classifier, with its scores on either split.

The student report has no score of its final classifier, so none stands beside ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from brainseg.config.errors import UserError
from brainseg.files.plain import read_json
from brainseg.metrics.classification import OVERALL, PER_CLASS, RESAMPLES
from brainseg.reporting.confusion import confusion_figure
from brainseg.reporting.curves import curves_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.probabilities import reliability_figure, roc_figure
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    WrittenPage,
    table_of,
    write_sections,
)
from brainseg.runs.config import CONFIG, at, require
from brainseg.study.classifier_files import (
    Predictions,
    read_classifier_config,
    read_predictions,
    read_trained_curves,
)

SPLITS = {
    "random": "slices are drawn one by one, so copies of a slice stand on both sides",
    "grouped": "copies of a slice stay on one side",
    "official": "the published Testing folder both chooses the best epoch and scores it",
    "random, by groups": "the groups of data.groups stay on one side, copies of a slice do not",
    "grouped, by groups": "the groups of data.groups and copies of a slice stay on one side",
}
PARTS = {"test": "test part", "val": "validation part"}
LISTED_MISTAKES = 20
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
        data = self.config["data"]
        return f"{data['split']}, by groups" if data.get("groups") else str(data["split"])

    @property
    def recipe(self) -> tuple[Any, ...]:
        """What two runs must share so that only their splits differ."""
        apart = ("split", "groups", "seed")
        data = {key: value for key, value in self.config["data"].items() if key not in apart}
        return self.config["classifier"], data


def write_classifier_page(folder: Path, output: Path | None = None) -> WrittenPage:
    """Write the page of a finished run of model=classifier.

    Args:
        folder: The run's, with scores.json and predictions.csv.
        output: Where classifier.html and classifier.md go; None: <folder>/report.

    Raises:
        UserError: The folder holds no such run.
    """
    run = _read(folder)
    predictions = read_predictions(folder / "predictions.csv")
    others = _runs_of_other_splits(run)
    sections = [
        _overview(run, others),
        _scores(run),
        _calibration(run, predictions),
        _by_class(run, predictions),
        _curves(run),
        _mistakes(predictions),
    ]
    output = folder / "report" if output is None else output
    page = write_sections(output, "classifier", f"Classifier: {folder.resolve().name}", sections)
    lines = [
        f"{one.split}: accuracy {_with_interval(one.scores['accuracy'])}" for one in (run, *others.values())
    ]
    return WrittenPage((*lines, *(f"{split}: not run" for split in _missing(run, others))), page)


def _read(folder: Path) -> ScoredRun:
    path = folder / "scores.json"
    if not path.is_file():
        raise UserError(f"{folder}: has no scores.json; give the folder of a finished run of the classifier")
    config = read_classifier_config(folder / CONFIG)
    require(config, folder / CONFIG, _NEEDED)
    scores = read_json(path)
    _check_scores(scores, path)
    return ScoredRun(folder, config, scores)


def _check_scores(scores: Mapping[str, Any], path: Path) -> None:
    """Refuse scores that `write_scores` cannot have written.

    Raises:
        UserError: The message names the key that is missing or wrong.
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


def _runs_of_other_splits(run: ScoredRun) -> dict[str, ScoredRun]:
    """The newest run of each other split with the same settings, from the folder that holds this run's."""
    found: dict[str, ScoredRun] = {}
    folders = {path.parent for path in run.folder.resolve().parent.glob("*/scores.json")}
    for folder in sorted(folders, key=lambda folder: (folder / "scores.json").stat().st_mtime):
        try:
            other = _read(folder)
        except UserError:
            continue  # its own page says what is wrong with it
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
        f"Accuracy {_with_interval(run.scores['accuracy'])} on the {PARTS[part]} of {run.scores['n']} "
        f"slices, split {run.split}."
    ]
    if part == "val" or run.split == "official":
        said.append(
            "These slices also chose the best epoch and the temperature, so the scores are a little too good."
        )
    return Section(
        paragraphs=said,
        tables=[table_of("Accuracy by split", ("split", "accuracy", "slices", "run"), rows)],
    )


def _split_row(run: ScoredRun, *, own: bool) -> list[str | Entry]:
    part = f"{run.scores['n']} ({PARTS[run.scores['part']]})"
    accuracy = Entry(_with_interval(run.scores["accuracy"]), mark="best" if own else "")
    return [Entry(run.split, SPLITS.get(run.split, "")), accuracy, part, run.folder.resolve().name]


def _scores(run: ScoredRun) -> Section:
    overall = [
        [name, _with_interval(run.scores[key])]
        for key, name in (
            ("accuracy", "accuracy"),
            ("f1_macro", "F1, mean of the classes"),
            ("roc_auc_macro", "area under the ROC curve, mean of the classes"),
            ("cross_entropy", "cross-entropy"),
        )
    ]
    names = ("precision", "recall", "f1", "roc_auc")
    by_class = [
        [name, str(own["n"]), *(_with_interval(own[score]) for score in names)]
        for name, own in run.scores["classes"].items()
    ]
    return Section(
        "Scores",
        paragraphs=[f"Intervals have 95 %, from {RESAMPLES} resamples of {_resampled(run)}"],
        tables=[
            table_of("Over all classes", ("score", "value"), overall),
            table_of("By class", ("class", "slices", "precision", "recall", "F1", "ROC area"), by_class),
        ],
    )


def _resampled(run: ScoredRun) -> str:
    n, subjects = run.scores["n"], run.scores["subjects"]
    if run.config["data"].get("groups"):
        return f"{subjects} groups and other slices, {n} slices in all."
    named = f"{subjects} subjects with {n} slices; copies of a slice count as one subject"
    return (
        f"{'the slices' if n == subjects else named}. The data does not say which slices are of one patient, "
        "so a patient may count as several. The true intervals are wider."
    )


def _calibration(run: ScoredRun, predictions: Predictions) -> Section:
    before, after = run.scores["uncalibrated"]["calibration_error"], run.scores["calibration_error"]
    rows = [
        ["as the network gives them", _with_interval(before)],
        [f"at temperature {run.scores['temperature']:.3f}", _with_interval(after)],
    ]
    figure = reliability_figure(predictions.probabilities, predictions.truth)
    return Section(
        "Calibration",
        paragraphs=[
            "The temperature was fitted on the validation part and is stored in the checkpoint. Prediction "
            "divides the logits by it, which changes no guess."
        ],
        tables=[table_of("Expected calibration error, 15 bins", ("probabilities", "error"), rows)],
        pictures=[Picture(inline_figure(figure), "How often guesses are right, by their certainty")],
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
    curves = read_trained_curves(run.folder / "metrics.csv")
    figure = curves_figure(curves, monitor=config["monitor"], mode=config["monitor_mode"])
    return Section("Training", pictures=[Picture(inline_figure(figure), "By epoch; the best one is marked")])


def _mistakes(predictions: Predictions) -> Section:
    sure, wrong = predictions.probabilities.max(axis=1), predictions.guess != predictions.truth
    order = sorted(np.flatnonzero(wrong).tolist(), key=lambda i: -sure[i])
    rows = [
        [predictions.files[i], *(predictions.classes[k[i]] for k in (predictions.truth, predictions.guess)),
         f"{sure[i]:.3f}"]
        for i in order[:LISTED_MISTAKES]
    ]  # fmt: skip
    said = f"{len(order)} of {len(sure)} slices are wrong."
    if len(order) > LISTED_MISTAKES:
        said += f" These are the {LISTED_MISTAKES} with the highest certainty."
    header = ("file", "truth", "guess", "certainty")
    return Section("Mistakes", paragraphs=[said], tables=[table_of("Mistakes", header, rows)] if rows else [])


def _with_interval(score: Mapping[str, float] | None) -> str:
    if score is None:
        return NOTHING
    return f"{score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f})"
