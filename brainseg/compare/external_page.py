"""`brainseg score`: scores.json, cases.csv, score.html and score.md; predictions.csv of a classifier."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainseg.callbacks.scores import write_predictions, write_scores
from brainseg.compare.external import PART, External
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.metrics import confusion_matrix
from brainseg.metrics.cases import score_intervals
from brainseg.metrics.classification import PER_CLASS
from brainseg.reporting.confusion import confusion_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.probabilities import reliability_figure, roc_figure
from brainseg.reporting.sections import (
    NOTHING,
    Picture,
    Section,
    WrittenPage,
    table_of,
    write_sections,
)
from brainseg.runs.cases import CASES, write_cases

LISTED = 20  # cases with the lowest scores
RULES = (
    "Scores are made as those of a training's test part: on what is prepared for the network, without the "
    "cleaning that predictions get.",
    "Intervals have 95 %, from resamples of the subjects, each with all of its cases. Copies of a slice "
    "count as one subject. A patient whose slices no table names may count as several, and the true "
    "intervals are then wider.",
)


def write_external(found: External, folder: Path) -> WrittenPage:
    """Write the files and the page of a model's scores."""
    (folder / CASES).unlink(missing_ok=True)  # of an earlier call
    write_cases(folder / CASES, found.cases)
    path = folder / "scores.json"
    if found.truth is not None:
        _write_classifier(found, folder, path)
    else:
        scores = {"part": PART, "n": len(found.cases)}
        scores |= score_intervals([case.scores for case in found.cases])
        with writing(path) as temporary:
            temporary.write_text(json.dumps(scores, indent=1) + "\n")
    scores = read_json(path)
    sections = [_overview(found), _scores(scores), *_of_classifier(found, scores), _worst(found)]
    page = write_sections(folder, "score", f"{found.task} on {found.data}", [*sections, _rules()])
    lines = [f"{name}: {_bounded(value)}" for name, value in _overall(scores).items()]
    said = f"{found.task} on {found.data}: {len(found.cases)} cases"
    return WrittenPage((said, *lines, *found.remarks), page)


def _write_classifier(found: External, folder: Path, path: Path) -> None:
    assert found.truth is not None
    assert found.logits is not None
    names, subjects = ([getattr(case, what) for case in found.cases] for what in ("case", "subject"))
    about = {"part": PART, "temperature": found.temperature}
    write_predictions(
        folder / "predictions.csv", PART, names, found.truth, found.probabilities, found.classes
    )
    write_scores(path, about, found.logits, found.truth, found.classes, subjects)


def _overview(found: External) -> Section:
    subjects = len({case.subject for case in found.cases})
    models = f"{len(found.models)} models, which answer together" if len(found.models) > 1 else "Model"
    return Section(
        warning=" ".join(f"{remark}." for remark in found.remarks),
        paragraphs=[
            f"{models}: {', '.join(map(str, found.models))}.",
            f"Data: {found.data}, {len(found.cases)} cases of {subjects} subjects.",
        ],
    )


def _overall(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores that are not of single classes."""
    return {name: value for name, value in scores.items() if isinstance(value, dict) and "low" in value}


def _scores(scores: Mapping[str, Any]) -> Section:
    rows = [[name.replace("_", " "), _bounded(value)] for name, value in _overall(scores).items()]
    return Section("Scores", tables=[table_of("Over all cases", ("score", "value"), rows)])


def _of_classifier(found: External, scores: Mapping[str, Any]) -> list[Section]:
    if found.truth is None:
        return []
    rows = [
        [name, str(own["n"]), *(_bounded(own[score]) for score in PER_CLASS)]
        for name, own in scores["classes"].items()
    ]
    probabilities, classes = found.probabilities, list(found.classes)
    matrix = confusion_matrix(probabilities.argmax(axis=1), found.truth, len(classes))
    figures = {
        "Confusion matrix": confusion_figure(matrix, classes),
        "ROC curves, each class against the rest": roc_figure(probabilities, found.truth, classes),
        "How often guesses are right, by their certainty": reliability_figure(probabilities, found.truth),
    }
    header = ("class", "slices", *(score.replace("_", " ") for score in PER_CLASS))
    pictures = [Picture(inline_figure(figure), caption) for caption, figure in figures.items()]
    return [Section("Classes", tables=[table_of("By class", header, rows)], pictures=pictures)]


def _worst(found: External) -> Section:
    name = "accuracy" if found.truth is not None else next(iter(found.cases[0].numbers))
    order = sorted(found.cases, key=lambda case: case.numbers[name])[:LISTED]
    columns = list(order[0].scores)
    rows = [[case.case, *(_value(case.scores[column]) for column in columns)] for case in order]
    said = f"The {len(rows)} cases with the lowest {name}; {CASES} has all."
    return Section("Cases", paragraphs=[said], tables=[table_of("Lowest first", ("case", *columns), rows)])


def _rules() -> Section:
    return Section("How the numbers are made", points=RULES)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def _bounded(score: Mapping[str, float | None] | None) -> str:
    if score is None:
        return NOTHING
    if score["low"] is None:
        return f"{score['value']:.4f} (no interval)"
    return f"{score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f})"
