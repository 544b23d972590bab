"""DICOM files sorted into patients, visits and series, of which each sequence gets one.

Left out are series of another modality, captures, files of many pictures without their places, series of too
few slices, and those that `dicom_naming` knows as something else or cannot name. DERIVED alone is no reason,
as much that is fit for use says it. `dicom_groups` sorts the files, `dicom_choice` chooses between series.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config import SEQUENCES
from brainseg.config.errors import DataError, ImageError
from brainseg.images.by_content import BY_CONTENT, Looker
from brainseg.images.dicom import Series
from brainseg.images.dicom_choice import Candidate, of_study
from brainseg.images.dicom_frames import FRAME
from brainseg.images.dicom_groups import MR, Group, LeftOut, frames_in, grouped
from brainseg.images.dicom_header import frames_of
from brainseg.images.dicom_ids import ids_of, names_of
from brainseg.images.dicom_naming import Named, named
from brainseg.images.dicom_patients import are_several
from brainseg.images.preference import Choice
from brainseg.images.source import Source
from brainseg.system.pseudonyms import name_of

LEAST_SLICES = 10  # of a head: at 10 mm a brain has more, and localisers have fewer
LEAST_OF_NAMED = 4  # what says its sequence and has so many in one plane is rather cut short than a localiser

_SPECTROSCOPY = f"{MR}.2"
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_OTHER_MODALITIES = {
    "SEG": "a segmentation",
    "RTSTRUCT": "contours of another program",
    "PR": "a presentation",
    "SR": "a report",
    "KO": "a choice of key images",
    "OT": "what another program made",
    "SC": "a screen capture",
    "DOC": "a document",
}

log = logging.getLogger("brainseg")


@dataclass(frozen=True)
class Study:
    """One visit of one patient.

    Attributes:
        id: Safe as a folder's name, and no other study's: from the patient's id, with the date where the
            patient has several.
        patient: The same for all visits of one patient.
        series: By sequence.
        warnings: What was chosen or supposed, a sentence each.
        by_content: The sequences that were told by their contrast.
    """

    id: str
    patient: str
    series: dict[str, Series]
    warnings: tuple[str, ...]
    by_content: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        return Series(tuple(path for series in self.series.values() for path in series.files)).folder


@dataclass(frozen=True)
class Fault:
    """A study of which nobody knows which series to take.

    Attributes:
        id, patient: As of `Study`.
        folder: That holds its files.
        files: Of all its series; none where each series has its own reason in `Found.left_out`.
        message: What is wrong, and the mend.
    """

    id: str
    patient: str
    folder: Path
    files: tuple[Path, ...]
    message: str


@dataclass(frozen=True)
class Found:
    """What DICOM files hold: every file is in a study, in a fault, or left out."""

    studies: list[Study] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class NoSeriesError(DataError):
    """No DICOM file can be used; `left_out` says of every one why not."""

    def __init__(self, message: str, left_out: list[LeftOut]) -> None:
        super().__init__(message)
        self.left_out = left_out


def find_studies(
    paths: Iterable[Path],
    sequence: str | None = None,
    choice: Choice | None = None,
    looker: Looker | None = None,
    *,
    alone: bool = True,
) -> Found:
    """The studies that have at least one of the four sequences, and all other files with the reason.

    Args:
        paths: DICOM files in any order, of any patients; a DICOMDIR and reports among them do no harm.
        sequence: What the only series of a study is in any case, and else the only one whose headers do not
            say it.
        choice: How to choose between series that claim one sequence.
        looker: Who looks into series whose headers do not say it; None: nobody.
        alone: Whether there is nothing else than these files, so that it is an error if none can be used.

    Raises:
        NoSeriesError: No file can be used, and none claims to be a scan of a head; the first are named with
            the reason.
    """
    visits, left_out = grouped(paths)
    found = Found(left_out=left_out)
    for one in left_out:
        level = logging.WARNING if one.kind == "unreadable" else logging.INFO
        log.log(level, "%s: left out: %s", one.files[0], one.reason)
    ids = ids_of({visit: groups[0].slices[0][1] for visit, groups in visits.items()})
    patients = names_of({patient for patient, _ in visits})
    for visit, groups in visits.items():
        name, patient = ids[visit], patients[visit[0]]
        _add_study(found, name, patient, groups, sequence, choice or Choice(), looker)
    if alone and found.left_out and not found.studies and not found.faults:
        reasons = [
            one.reason if one.study else f"{one.files[0].name}: {one.reason}" for one in found.left_out
        ]
        raise NoSeriesError(
            f"none of {len(reasons)} DICOM series and files can be used: {_first_six(reasons)}; give MR "
            f"series of a head, or, for a folder with one series, sequence= as one of {', '.join(SEQUENCES)}",
            found.left_out,
        )
    return found


def _looked_into(one: Candidate, looker: Looker) -> Candidate:
    """A series whose headers say nothing, named by its content if that is sure."""
    if one.useless or one.named.sequence is not None or one.named.is_other:
        return one
    look = looker.look(Source(one.series.folder, series=one.series))
    if look.sequence is None:
        remark = f"{one.named.remark}, and by {BY_CONTENT} it is not sure: {look.measures}"
        return replace(one, named=Named(None, remark))
    remark = f"was named {look.sequence} by {BY_CONTENT} ({look.measures})"
    unsaid = look.sequence == "t1"
    return replace(one, named=Named(look.sequence, remark, agent_unsaid=unsaid, by_content=True))


def _add_study(
    found: Found,
    name: str,
    patient: str,
    groups: list[Group],
    sequence: str | None,
    choice: Choice,
    looker: Looker | None,
) -> None:
    """Put a visit into the studies or the faults, and what is not used of it into `left_out`."""
    candidates = [_candidate(group) for group in groups]
    if looker is not None and sequence is None:
        candidates = [_looked_into(one, looker) for one in candidates]
    candidates.sort(key=lambda one: (one.series.number or 0, str(one.header.get("SeriesDescription", ""))))
    try:
        _refuse_several_patients(groups)
        chosen, warnings = of_study(candidates, sequence, choice)
    except ImageError as error:
        files = tuple(path for one in candidates for path in one.series.files)
        found.faults.append(Fault(name, patient, Series(files).folder, files, str(error)))
        return
    taken = list(chosen.values())
    unused = [one for one in candidates if one not in taken]
    reasons = [one.why_left_out for one in unused if one.useless or one.named.sequence is None]
    for reason in reasons:
        log.info("%s: left out: %s", name_of(name), reason)
    for one in unused:
        why = one.why_left_out if one.useless or one.named.sequence is None else _aside(one, warnings)
        found.left_out.append(LeftOut(one.series.files, why, study=name))
    if chosen:
        series = {one: chosen[one].series for one in SEQUENCES if one in chosen}
        by_content = frozenset(one for one in chosen if chosen[one].named.by_content)
        found.studies.append(Study(name, patient, series, tuple(warnings), by_content))
    elif any(one.claims for one in candidates):
        folder = Series(tuple(path for one in candidates for path in one.series.files)).folder
        message = (
            f"{folder}: no MR series can be used: {_first_six(reasons)}; export the series again, whole, or "
            "set sequence= where one does not say what it is"
        )
        found.faults.append(Fault(name, patient, folder, (), message))
    else:
        log.warning("%s has no series that can be used: %s", name_of(name), _first_six(reasons))


def _refuse_several_patients(groups: list[Group]) -> None:
    if are_several(header for group in groups for _, header in group.slices):
        files = tuple(path for group in groups for path, _ in group.slices)
        raise ImageError(
            f"{Series(files).folder}: holds patients of several names under one PatientID and one "
            "StudyInstanceUID; give the folder of each patient alone, or export them again"
        )


def _aside(one: Candidate, warnings: list[str]) -> str:
    """Why a series was left aside for another, as the warning of its study says it."""
    label = f"{one.series.label} was left aside"
    return next((text[text.index(label) :] for text in warnings if label in text), label)


def _candidate(group: Group) -> Candidate:
    headers = [header for _, header in group.slices]
    header = headers[0]
    number = header.get("SeriesNumber")
    said = header.get("SeriesDescription") or header.get("ProtocolName") or ""
    series = Series(
        tuple(dict.fromkeys(path for path, _ in group.slices)),
        _printable(f"{said} {group.part}"),
        number if isinstance(number, int) else None,
        frames_in(group),
    )
    if useless := _useless(headers):
        return Candidate(series, header, Named(None), useless, claims=_claims(headers))
    places, is_stack = _places(headers)
    said = named(header)
    return Candidate(
        series, header, said, note=group.note, places=places, is_stack=is_stack, claims=not said.is_other
    )


def _claims(headers: list[dict[str, Any]]) -> bool:
    """Whether a series that cannot be used was meant as an ordinary MR scan: no capture, CT or localiser."""
    first = headers[0]
    kind = str(first.get("MediaStorageSOPClassUID", MR))
    if str(first.get("Modality", "MR")) != "MR" or kind == _SPECTROSCOPY or kind.startswith(_CAPTURE):
        return False
    said = named(first)
    if first.get("SamplesPerPixel", 1) != 1 or said.is_other:
        return False
    if max(len(headers), frames_of(first)) >= LEAST_SLICES:
        return True
    by_words = said.sequence is not None and "by its times" not in said.remark
    planes = {str(one.get("ImageOrientationPatient")) for one in headers}
    return by_words and len(planes) == 1 and len(headers) >= LEAST_OF_NAMED


def _useless(headers: list[dict[str, Any]]) -> str:
    """Why a series cannot be used whatever it is called; nothing if it can."""
    first = headers[0]
    kind = str(first.get("MediaStorageSOPClassUID", MR))
    if (modality := str(first.get("Modality", "MR"))) != "MR":
        what = _OTHER_MODALITIES.get(modality)
        return f"is {modality}, {what or 'not MR'}"
    if kind == _SPECTROSCOPY:
        return "is spectroscopy"
    if kind.startswith(_CAPTURE) or first.get("SamplesPerPixel", 1) != 1:
        return "is a screen capture"
    if FRAME not in first and frames_of(first) > 1:
        return "has many pictures in one file that does not say where each lies; export it as enhanced MR"
    if any("ImagePositionPatient" not in one or "ImageOrientationPatient" not in one for one in headers):
        return "does not say where its slices lie (ImagePositionPatient, ImageOrientationPatient)"
    if len(headers) < LEAST_SLICES:
        count = "1 slice" if len(headers) == 1 else f"{len(headers)} slices"
        return f"has only {count}; a head has at least {LEAST_SLICES}"
    return ""


def _places(headers: list[dict[str, Any]]) -> tuple[NDArray[np.float64], bool]:
    """The different places of the slices along their normal, mm, and whether they make one stack."""
    try:
        turns = np.array([one["ImageOrientationPatient"] for one in headers], np.float64).reshape(-1, 2, 3)
        positions = np.array([one["ImagePositionPatient"] for one in headers], np.float64).reshape(-1, 3)
    except (ValueError, TypeError):  # not six numbers and three, which reading will name
        return np.arange(2.0), False
    places = np.unique(np.round(positions @ np.cross(turns[0, 0], turns[0, 1]), 2))
    if len(places) < len(headers):
        return (places if len(places) > 1 else np.arange(2.0)), False
    is_even = np.ptp(np.diff(places)) <= 0.1 * np.median(np.diff(places)) + 0.02
    return places, bool(is_even and np.abs(turns - turns[0]).max() < 1e-3)


def _printable(text: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:64]


def _first_six(reasons: list[str]) -> str:
    more = f"; and {len(reasons) - 6} more" if len(reasons) > 6 else ""
    return "; ".join(reasons[:6]) + more
