"""Ids of subjects: each is another one, and each says whose the scans are and not the visit alone."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from brainseg.images.patients import with_patient
from brainseg.images.subject import Subject

# Names of folders and files that say when, and not who: 2019, 2019-04-01, day1, week-000-1, followup_2.
_VISIT = re.compile(
    r"(?:19|20)\d\d(?:[-_.]?[01]?\d(?:[-_.]?[0-3]?\d)?)?(?:[-_T]?\d{4,6})?"
    r"|(?:day|week|month|year|visit|session|ses|timepoint|time|tp|scan|exam)[-_ ]?\d[\d-]*"
    r"|(?:baseline|follow[-_ ]?up|pre[-_ ]?op|post[-_ ]?op|preoperative|postoperative)[-_ ]?\d*",
    re.IGNORECASE,
)
_NAMED_WELL = ("bids", "dicom", "msd")  # layouts whose ids say the patient


def is_visit(name: str) -> bool:
    """Whether a name says when a scan was made, and not whose it is."""
    return _VISIT.fullmatch(name) is not None


def with_patients(subjects: list[Subject], root: Path) -> list[Subject]:
    """The same subjects with their patients.

    The folders of a visit, and of those that share a name, come before it in the id.

    Where one folder of a level needs that, all of the level get it: p1_2019, p1_2020, p2_2019.

    Args:
        subjects: As their files name them.
        root: The folder that was searched.
    """
    counts = Counter(subject.id for subject in subjects)
    levels = {_level(s) for s in subjects if s.from_folder and (counts[s.id] > 1 or _is_visit(s))}
    made = [
        _with_folders(one, root)
        if counts[one.id] > 1 or _is_visit(one) or (one.from_folder and _level(one) in levels)
        else one
        for one in subjects
    ]
    numbered = _numbered(made)
    return [with_patient(one, said.id, root) for one, said in zip(numbered, subjects, strict=True)]


def _is_visit(subject: Subject) -> bool:
    return subject.layout not in _NAMED_WELL and is_visit(subject.id)


def _level(subject: Subject) -> int:
    return len(subject.folder.parts)


def _with_folders(subject: Subject, root: Path) -> Subject:
    folder = subject.folder
    parts = [part for part in folder.relative_to(root).parts if part != subject.id]
    if not parts and subject.from_folder:  # the input is the patient's folder, or the visit's
        parts = [(folder if folder != root else root).resolve().parent.name]
    return replace(subject, id="_".join([*(part for part in parts if part), subject.id]))


def _numbered(subjects: list[Subject]) -> Iterator[Subject]:
    """The second of one id gets a number: a/b_c and a_b/c would both be a_b_c."""
    seen: Counter[str] = Counter()
    for subject in subjects:
        seen[subject.id] += 1
        yield subject if seen[subject.id] == 1 else replace(subject, id=f"{subject.id}-{seen[subject.id]}")
