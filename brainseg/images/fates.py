"""What became of every file below an input: used, a copy, left out, or unreadable, each with a reason."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Fate(StrEnum):
    """The four ends that a file may come to."""

    used = "used"
    copy = "copy"  # of another file, byte for byte
    left_out = "left out"
    unreadable = "unreadable"


@dataclass(frozen=True)
class FileFate:
    """A file, or the slices of one DICOM series, and what became of it.

    Attributes:
        paths: The file, or all slices.
        fate: One of the four.
        why: How a used file was recognised, what a copy is a copy of, or the reason.
        role: What it is used as: a sequence, "truth" or "brain mask"; empty where it is not used.
        subject: The id of whose it is; empty where nobody's.
    """

    paths: tuple[Path, ...]
    fate: Fate
    why: str
    role: str = ""
    subject: str = ""

    @property
    def path(self) -> Path:
        """The file, or the folder of a series."""
        return self.paths[0] if len(self.paths) == 1 else self.paths[0].parent


def in_one_line(fates: Iterable[FileFate]) -> str:
    """E.g. "9 files: 4 used, 1 copy, 3 left out, 1 unreadable"."""
    counts: Counter[Fate] = Counter()
    for one in fates:
        counts[one.fate] += len(one.paths)
    return counted(counts)


def counted(counts: Mapping[Fate, int]) -> str:
    """Numbers of files in words."""
    total = sum(counts.values())
    words = {Fate.copy: "copy" if counts.get(Fate.copy) == 1 else "copies"}
    said = [f"{n} {words.get(fate, str(fate))}" for fate in Fate if (n := counts.get(fate, 0))]
    return f"{total} file{'' if total == 1 else 's'}: {', '.join(said) or 'nothing to read'}"


def gathered(fates: Iterable[FileFate], *, most: int = 3) -> Iterator[tuple[FileFate, int]]:
    """Each line of a table for people, with how many more it stands for.

    Files that are left out for one reason in one folder share a line where they are more than `most`.
    """
    shared: dict[tuple[str, Path, str], list[FileFate]] = {}
    for one in fates:
        if one.fate is Fate.left_out:
            shared.setdefault((one.subject, one.path.parent, one.why), []).append(one)
        else:
            yield one, 0
    for several in shared.values():
        if len(several) > most:
            yield several[0], len(several) - 1
        else:
            yield from ((one, 0) for one in several)
