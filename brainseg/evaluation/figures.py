"""Figures of a model on a set of scans, out of the tables of scores that brainseg writes."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.metrics.cases import Interval, mean_interval, paired_difference

# The columns that a card has, with their names for people.
OF_VOLUMES = "right types of volumes"
SCORES = {
    "dice": "brain Dice",
    "dice/whole_tumor": "whole tumour Dice",
    "dice/tumor_core": "tumour core Dice",
    "dice/enhancing_tumor": "enhancing tumour Dice",
    "accuracy": "right types of slices",
    "type": OF_VOLUMES,
    "tumor": "volumes rightly said to have a tumour or none",
}
SHARES = {SCORES[column] for column in ("accuracy", "type", "tumor")}
SHOWN = 3  # of the worst cases
PARTS = ("test", "external", "val")  # of cases.csv, the first that it has


@dataclass(frozen=True)
class Figure:
    """A score of a model on a set of scans.

    Attributes:
        data: What the scans are.
        score: The score's name for people.
        mean: Over the scans, with its interval of 95 % (bootstrap over the subjects) and their number.
        cases: The score of each.
        subjects: Whom each case shows, where several show one.
    """

    data: str
    score: str
    mean: Interval
    cases: Mapping[str, float] = field(repr=False)
    subjects: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def least(self) -> float | None:
        """The worst scan's; None for a share, where a scan is right or wrong."""
        return None if self.score in SHARES else min(self.cases.values())

    @property
    def worst(self) -> list[tuple[str, float]]:
        """The worst scans with their scores, the worst first; none for a share."""
        ranked = sorted(self.cases.items(), key=lambda item: item[1])
        return [] if self.score in SHARES else ranked[:SHOWN]

    def minus(self, other: "Figure") -> Interval | None:
        """How much lower the other's score is on its scans; None where one of these is not here."""
        mine = {name: value for name, value in self.cases.items() if name in other.cases}
        return paired_difference([mine], [other.cases], self.subjects)


def figures_of(data: str, path: Path, of_volumes: bool = False) -> list[Figure]:
    """The figures that a table of scores holds.

    Args:
        data: What the scans are: "Open MS, T1w".
        path: A scores.csv of `brainseg evaluate`, or a cases.csv of a training or of `brainseg score`.
        of_volumes: Its cases whose type is right or wrong are volumes, not slices.

    Raises:
        DataError: It cannot be read, a scan in it has no scores, or it has no score that a card shows.
    """
    rows = _rows(path)
    faults = [row["name"] for row in rows if row.get("fault")]
    if faults:
        raise DataError(f"{path}: {faults[0]} was not scored; a card leaves no scan out, so mend it first")
    subjects = {row["name"]: row["subject"] for row in rows if row.get("subject")}
    names = SCORES | {"accuracy": OF_VOLUMES} if of_volumes else SCORES
    found = [
        _figure(data, name, values, subjects)
        for column, name in names.items()
        if (values := {row["name"]: float(row[column]) for row in rows if _is_number(row.get(column))})
    ]
    if not found:
        raise DataError(f"{path}: has none of the columns {', '.join(SCORES)}")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    """Each case with its name as "name"; of cases.csv those of one part."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); give a scores.csv of brainseg evaluate, or a cases.csv"
        ) from error
    if not rows or "case" not in rows[0]:
        return rows
    parts = {row["part"] for row in rows}
    part = next((part for part in PARTS if part in parts), "")
    return [{**row, "name": row["case"]} for row in rows if row["part"] == part]


def _figure(data: str, score: str, values: dict[str, float], subjects: Mapping[str, str]) -> Figure:
    mean = mean_interval([values], subjects)
    assert mean is not None
    return Figure(data, score, mean, values, subjects)


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or "nan"))
    except ValueError:
        return False
