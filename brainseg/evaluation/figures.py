"""Figures of a model on a set of scans, out of the scores.csv that `brainseg evaluate` has written."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.metrics.cases import Interval, mean_interval

# The columns of scores.csv that a card has, with their names for people.
SCORES = {
    "dice": "brain Dice",
    "dice/whole_tumor": "whole tumour Dice",
    "dice/tumor_core": "tumour core Dice",
    "dice/enhancing_tumor": "enhancing tumour Dice",
}


@dataclass(frozen=True)
class Figure:
    """A score of a model on a set of scans.

    Attributes:
        data: What the scans are.
        score: The score's name for people.
        mean: Over the scans, with its interval of 95 % (bootstrap over the scans) and their number.
        least: The worst scan's.
    """

    data: str
    score: str
    mean: Interval
    least: float


def figures_of(data: str, path: Path) -> list[Figure]:
    """The figures that a scores.csv holds.

    Args:
        data: What the scans are: "Open MS, T1w".
        path: A scores.csv of `brainseg evaluate`.

    Raises:
        DataError: It cannot be read, a scan in it has no scores, or it has no score that a card shows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); give a scores.csv of brainseg evaluate"
        ) from error
    faults = [row["name"] for row in rows if row.get("fault")]
    if faults:
        raise DataError(f"{path}: {faults[0]} was not scored; a card leaves no scan out, so mend it first")
    found = [
        _figure(data, name, values)
        for column, name in SCORES.items()
        if (values := {row["name"]: float(row[column]) for row in rows if _is_number(row.get(column))})
    ]
    if not found:
        raise DataError(f"{path}: has none of the columns {', '.join(SCORES)}")
    return found


def _figure(data: str, score: str, values: dict[str, float]) -> Figure:
    mean = mean_interval([values], {name: name for name in values})
    assert mean is not None
    return Figure(data, score, mean, min(values.values()))


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or "nan"))
    except ValueError:
        return False
