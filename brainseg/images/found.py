"""What lies below a folder: its subjects, and what became of every file."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.images.fates import FileFate
from brainseg.images.subject import Subject


class NoScanError(DataError):
    """There is no scan at all; `fates` says of every file why not."""

    def __init__(self, message: str, fates: list[FileFate]) -> None:
        super().__init__(message)
        self.fates = fates


@dataclass(frozen=True)
class Survey:
    """What lies below a start: its subjects, and what became of every file.

    Attributes:
        subjects: In natural order; one with a fault is among them.
        fates: Of all files, those of the subjects first.
    """

    subjects: list[Subject]
    fates: list[FileFate]

    def share(self, shard: int | None, shards: int) -> "Survey":
        """Every n-th of the subjects in their order, from one on; the files are still those of all."""
        return self if shard is None else Survey(self.subjects[shard::shards], self.fates)

    def only(self, patterns: Sequence[str] | None, where: str | Path) -> "Survey":
        """The subjects whose ids a pattern fits (sub-01, sub-1*), with their files.

        A pattern may fit the part before an underscore: sub-01 is all sessions of it.

        Raises:
            DataError: A pattern fits none.
        """
        if patterns is None:
            return self
        for pattern in patterns:
            if not any(_fits(subject.id, pattern) for subject in self.subjects):
                names = ", ".join(subject.id for subject in self.subjects[:3])
                raise DataError(f"{where}: only={pattern} fits none of its subjects, such as {names}")
        subjects = [one for one in self.subjects if any(_fits(one.id, p) for p in patterns)]
        ids = {one.id for one in subjects}
        return Survey(subjects, [one for one in self.fates if one.subject in ids])


def _fits(identity: str, pattern: str) -> bool:
    """Whether an id, or its beginning before an underscore, is of a pattern: sub-01 fits sub-01_ses-pre."""
    return fnmatchcase(identity, pattern) or fnmatchcase(identity, f"{pattern}_*")
