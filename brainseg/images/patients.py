"""Whose visit a subject is: visits of one patient may never be on two sides of a split.

Public sets, BIDS and DICOM say it themselves. Elsewhere the folders below the root and the name do, without
what says when: p1/2019, 2019/p1, p1_week-044, p1_20190401 and baseline_p1 are all of p1. A year alone at the
end of a name says nothing, as case_2010 may be a number. What only says when, with no other word, is a
patient of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from brainseg.images.file_names import ALIASES
from brainseg.images.subject import Subject

_DATE = r"(?:19|20)\d\d(?P<sep>[-_.]?)(?:0[1-9]|1[0-2])(?P=sep)(?:0[1-9]|[12]\d|3[01])(?:[-_T]?\d{4,6})?"
_COUNTED = r"(?:day|week|month|year|visit|session|ses|timepoint|time|tp|fu)[-_ ]?\d[\d-]*d?"
_STAGE = r"(?:baseline|follow[-_ ]?up|pre[-_ ]?op|post[-_ ]?op|preoperative|postoperative)[-_ ]?\d*"
_SCAN = r"(?:scan|exam)[-_ ]?\d{1,2}"  # scan_001 of hundreds is rather a patient
_YEAR = r"(?:19|20)\d\d(?:[-_.]?(?:0[1-9]|1[0-2]))?"
_FOLDER = re.compile(f"{_DATE}|{_COUNTED}|{_STAGE}|{_SCAN}|{_YEAR}", re.IGNORECASE)
_ENDING = re.compile(rf"(?<=[^\W_])[-_. ]+(?:{_DATE}|{_COUNTED}|{_STAGE})$", re.IGNORECASE)
_BEGINNING = re.compile(rf"^{_STAGE}[-_. ]+(?=[^\W_])", re.IGNORECASE)


def with_patient(subject: Subject, name: str, root: Path) -> Subject:
    """The same subject with its patient, whose name is no other patient's below the root.

    Args:
        subject: With its patient only where its set, BIDS or DICOM says it.
        name: Its id as its files say it, without the folders above.
        root: The folder that was searched.
    """
    if subject.patient.startswith("sub-"):  # each BIDS data set counts its subjects itself
        above = _parts(subject.folder, root)
        places = above[: above.index(subject.patient)] if subject.patient in above else ()
        return replace(subject, patient="/".join([*places, subject.patient]))
    if subject.patient:
        return subject
    parts = _parts(subject.folder, root)
    parts = parts if parts[-1:] == (name,) else (*parts, name)
    return replace(subject, patient="/".join(_who(parts)) or subject.id)


def _parts(folder: Path, root: Path) -> tuple[str, ...]:
    return folder.relative_to(root).parts if folder.is_relative_to(root) else ()


def _who(parts: tuple[str, ...]) -> Iterator[str]:
    """The folders and the name without what says when or which sequence, and without repetition."""
    dates = [part for part in parts if _FOLDER.fullmatch(part)]
    before = ""
    for part in parts:
        if part in dates or part.lower() in ALIASES:
            continue
        own = next((part[: -len(d)].rstrip("-_. ") for d in dates if part.endswith(d)), part)
        own = _BEGINNING.sub("", _ENDING.sub("", own))
        if own and own != before:
            yield own
            before = own
