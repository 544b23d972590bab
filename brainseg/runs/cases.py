"""cases.csv and summary.json in a run's folder: what each case scored, and what the training took."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import UnreadableError
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.files.typed import from_plain, to_plain

CASES, SUMMARY = "cases.csv", "summary.json"
SCHEMA = 1  # of summary.json
_LEADING = ("part", "case", "subject")
_TEXTS = {*_LEADING, "truth", "guess"}  # the columns that hold no number


@dataclass(frozen=True)
class ScoredCase:
    """A case of a run: its part (val or test), its name, whom it shows, and its scores by name."""

    part: str
    case: str
    subject: str
    scores: Mapping[str, float | str]

    @property
    def numbers(self) -> dict[str, float]:
        """Its scores without those that are texts, such as the class that was guessed."""
        return {name: value for name, value in self.scores.items() if not isinstance(value, str)}


@dataclass(frozen=True)
class RunSummary:
    """What a training took so far.

    Attributes:
        finished: Whether it came to its end, or was ended by trainer.early_stopping or max_time.
        epochs: How many were trained.
        seconds: Of all attempts, without scoring the test part.
        peak_memory_mb: The most memory of the process.
        gpu_memory_mb: The most memory on its GPU; None without one.
        parameters: Numbers that the network has learnt.
    """

    schema: int
    finished: bool
    epochs: int
    seconds: float
    peak_memory_mb: float
    gpu_memory_mb: float | None
    parameters: int


def write_cases(path: Path, cases: Sequence[ScoredCase]) -> None:
    """A row for each case; the rows of other parts that the file holds stay."""
    parts = {case.part for case in cases}
    kept = [case for case in read_cases(path) if case.part not in parts] if path.is_file() else []
    rows = [*kept, *cases]
    names = list(dict.fromkeys(name for case in rows for name in case.scores))
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*_LEADING, *names])
        for case in rows:
            table.writerow([case.part, case.case, case.subject, *(case.scores.get(n, "") for n in names)])


def read_cases(path: Path) -> list[ScoredCase]:
    """The cases of a run.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_case_of(row) for row in csv.DictReader(file)]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UnreadableError(
            f"{path}: cannot be read, it needs part, case, subject and columns of numbers ({error})"
        ) from error


def _case_of(row: Mapping[str, str]) -> ScoredCase:
    scores = {name: text for name, text in row.items() if name not in _LEADING and text != ""}
    numbers: dict[str, float | str] = {
        name: text if name in _TEXTS else float(text) for name, text in scores.items()
    }
    return ScoredCase(row["part"], row["case"], row["subject"], numbers)


def write_summary(path: Path, summary: RunSummary) -> None:
    with writing(path) as temporary:
        temporary.write_text(json.dumps(to_plain(summary), indent=1) + "\n", encoding="utf-8")


def read_summary(path: Path) -> RunSummary:
    """What a run's training took.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It holds something else, or what a newer brainseg wrote.
    """
    found = from_plain(RunSummary, read_json(path), path)
    if found.schema > SCHEMA:
        raise UnreadableError(f"{path}: has schema {found.schema}; this brainseg reads up to {SCHEMA}")
    return found
