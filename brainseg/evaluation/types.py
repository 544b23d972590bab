"""Tumour types that predict.py named against true ones, from a table of both."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.evaluation.cases import ScoredCase, write_scores
from brainseg.files.atomic import writing
from brainseg.inference import HEALTHY
from brainseg.metrics.cases import Interval, mean_interval
from brainseg.results.parts import TypeResult, VolumeTypeResult
from brainseg.results.read import read_result, result_folders
from brainseg.results.result import Result

TABLE = "participants.tsv"  # of a BIDS data set
NAMES = ("participant_id", "subject", "name", "id")  # columns, the first that is there
TYPES = ("tumor_type", "type", "truth")
SCORES = ("type", "tumor", "true_probability")


@dataclass(frozen=True)
class TypeEvaluation:
    """All subjects of the table, and each score's mean over the scored ones with its interval of 95 %."""

    cases: list[ScoredCase]
    means: dict[str, Interval]

    @property
    def faults(self) -> list[ScoredCase]:
        return [case for case in self.cases if case.fault]


def evaluate_types(truth: Path, guess: Path) -> TypeEvaluation:
    """Score the type of each subject: 1 where it is right, 0 where not.

    It is that of the slices' vote, or of the whole brain where that alone was asked. `type` is the type
    itself, `tumor` whether there is a tumour at all, `true_probability` what the classifier gave the true
    type.

    Args:
        truth: A table (.csv or .tsv) with a column participant_id and a column tumor_type, or a BIDS data set
            that has participants.tsv.
        guess: What predict.py wrote.

    Raises:
        DataError: The table cannot be read, or there is no result.
    """
    path = truth / TABLE if truth.is_dir() else truth
    found = {folder.name: folder for folder in result_folders(guess)}
    cases = [_scored(name, kind, path, found.get(name)) for name, kind in _types(path).items()]
    known = {case.name: case.scores for case in cases if case.scores}
    means = {score: mean_interval([{n: s[score] for n, s in known.items()}], {}) for score in SCORES}
    return TypeEvaluation(cases, {score: one for score, one in means.items() if one is not None})


def write_type_evaluation(found: TypeEvaluation, folder: Path) -> None:
    """Write scores.csv, with a row for each subject, and scores.json, which has the means too."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(folder / "scores.csv", found.cases, SCORES)
    content = {"means": {score: asdict(one) for score, one in found.means.items()}}
    with writing(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _types(path: Path) -> dict[str, str]:
    """The true type of each subject."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); give a table of participant_id and tumor_type"
        ) from error
    there = list(rows[0]) if rows else []
    name, kind = _column(NAMES, there, path), _column(TYPES, there, path)
    return {row[name]: row[kind] for row in rows if row[kind] not in ("", "n/a", None)}


def _column(names: Sequence[str], there: Sequence[str], path: Path) -> str:
    if found := next((name for name in names if name in there), None):
        return found
    raise DataError(f"{path}: has the columns {', '.join(there) or 'of none'}; it needs one named {names[0]}")


def _scored(name: str, kind: str, truth: Path, folder: Path | None) -> ScoredCase:
    if folder is None:
        return ScoredCase(name, truth, None, {}, "nothing was predicted")
    result = read_result(folder)
    found = result.tumor_type or result.tumor_type_3d
    if found is None:
        return ScoredCase(name, truth, folder, {}, f"no type was named: {_why(result)}")
    if kind not in found.probabilities:
        known = ", ".join(found.probabilities)
        return ScoredCase(name, truth, folder, {}, f"{kind} is none of the classifier's types, {known}")
    return ScoredCase(name, truth, folder, _scores(kind, found))


def _scores(kind: str, found: TypeResult | VolumeTypeResult) -> Mapping[str, float]:
    return {
        "type": float(found.verdict == kind),
        "tumor": float((found.verdict == HEALTHY) == (kind == HEALTHY)),
        "true_probability": found.probabilities[kind],
    }


def _why(result: Result) -> str:
    return result.error or result.left_out.get("classify", "the classifier was not asked")
