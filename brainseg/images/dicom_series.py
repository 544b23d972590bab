"""DICOM files sorted into patients, visits and series, of which each sequence gets one.

Left out are series of another modality, captures, multi-frame files, series of too few slices, and those that
`dicom_naming` knows as something else or cannot name. DERIVED alone is no reason, as much that is fit for use
says it.

Of two series that claim one sequence the better is taken with a warning, where one is plainly better: one
volume instead of slices that make none, original instead of derived, complete instead of a part of the same
slices, or slices at most half as far apart over the same extent. Otherwise both are named and nothing is
guessed.
"""

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from brainseg.config import SEQUENCES
from brainseg.config.errors import DataError, ImageError
from brainseg.images.dicom import Series
from brainseg.images.dicom_header import frames_of, read_header
from brainseg.images.dicom_naming import HEADER, Header, Named, has_agent, image_type, named

LEAST_SLICES = 10  # of a head: at 10 mm a brain has more, and localisers have fewer
MUCH_THICKER = 2.0
SAME_EXTENT = 0.8

_TAGS = (
    *HEADER,
    *("MediaStorageSOPClassUID", "PatientID", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID"),
    *("SeriesNumber", "Modality", "Rows", "SamplesPerPixel", "NumberOfFrames"),
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"),
)
_MR = "1.2.840.10008.5.1.4.1.1.4"
_ENHANCED = {f"{_MR}.1", f"{_MR}.3", f"{_MR}.4"}
_SPECTROSCOPY = f"{_MR}.2"
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_Slices = list[tuple[Path, dict[str, Any]]]  # each file with its header
_Visit = tuple[str, str]  # PatientID and StudyInstanceUID

log = logging.getLogger("brainseg")


@dataclass(frozen=True)
class Study:
    """One visit of one patient.

    Attributes:
        id: Safe as a folder's name, and no other study's: from the patient's id, with the date where the
            patient has several.
        series: By sequence.
        warnings: What was chosen or supposed, a sentence each.
    """

    id: str
    series: dict[str, Series]
    warnings: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return Series(tuple(path for series in self.series.values() for path in series.files)).folder


@dataclass(frozen=True)
class LeftOut:
    """Files that are not used, and why.

    Attributes:
        files: One, or those of a series.
        reason: E.g. "series 9 'ADC' is diffusion", or what is wrong with the file.
        kind: Whether they were left out by a rule, are copies of others, or could not be read.
        study: The id of their study, where it is known.
    """

    files: tuple[Path, ...]
    reason: str
    kind: Literal["left out", "copy", "unreadable"] = "left out"
    study: str = ""


@dataclass(frozen=True)
class Fault:
    """A study of which nobody knows which series to take.

    Attributes:
        id: As `Study.id`.
        folder: That holds its files.
        files: Of all its series.
        message: What is wrong, and the mend.
    """

    id: str
    folder: Path
    files: tuple[Path, ...]
    message: str


@dataclass(frozen=True)
class Found:
    """What DICOM files hold: every file is in a study, in a fault, or left out."""

    studies: list[Study] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A series that may be one of the four sequences.

    Attributes:
        useless: Why it cannot be read at all, if so.
        places: The different ones along the normal in order, mm.
        is_stack: The slices lie one behind the other at one distance.
    """

    series: Series
    header: Header
    named: Named
    useless: str = ""
    places: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    is_stack: bool = False

    @property
    def is_derived(self) -> bool:
        return bool({"DERIVED", "SECONDARY"} & set(image_type(self.header)[:2]))

    @property
    def step_mm(self) -> float:
        return float(np.median(np.diff(self.places)))

    @property
    def extent_mm(self) -> float:
        return float(np.ptp(self.places))

    @property
    def why_left_out(self) -> str:
        return f"{self.series.label} {self.useless or self.named.remark}"


def find_studies(paths: Iterable[Path], sequence: str | None = None) -> Found:
    """The studies that have at least one of the four sequences, and all other files with the reason.

    Args:
        paths: DICOM files in any order, of any patients; a DICOMDIR and reports among them do no harm.
        sequence: What the only series of a study is in any case, and else the only one whose headers do not
            say it.

    Raises:
        DataError: No series can be used; each is named with the reason.
    """
    groups, without_place = _grouped(paths)
    found = Found(left_out=without_place)
    ids = _ids({key: next(iter(files.values()))[0][1] for key, files in groups.items()})
    for key, files in groups.items():
        candidates = [_candidate(slices) for slices in files.values()]
        candidates.sort(key=lambda one: (one.series.number or 0, one.series.description))
        _add_study(found, ids[key], candidates, sequence)
    if found.left_out and not found.studies and not found.faults:
        reasons = [one.reason for one in found.left_out]
        raise DataError(
            f"none of {len(reasons)} DICOM series can be used: {_first_six(reasons)}; give MR series of a "
            f"head, or, for a folder with one series, sequence= as one of {', '.join(SEQUENCES)}"
        )
    return found


def _add_study(found: Found, name: str, candidates: list[_Candidate], sequence: str | None) -> None:
    """Put a visit into the studies or the faults, and what is not used of it into `left_out`."""
    try:
        chosen, warnings = _of_study(candidates, sequence)
    except ImageError as error:
        files = tuple(path for one in candidates for path in one.series.files)
        found.faults.append(Fault(name, Series(files).folder, files, str(error)))
        return
    taken = list(chosen.values())
    for one in candidates:
        if one in taken:
            continue
        is_unnamed = one.useless or one.named.sequence is None
        why = one.why_left_out if is_unnamed else f"{one.series.label} was left aside for a better one"
        if is_unnamed:
            log.info("%s: left out: %s", name, why)
        found.left_out.append(LeftOut(one.series.files, why, study=name))
    if chosen:
        series = {one: chosen[one].series for one in SEQUENCES if one in chosen}
        found.studies.append(Study(name, series, tuple(warnings)))
    else:
        reasons = [one.why_left_out for one in candidates]
        log.warning("%s has no series that can be used: %s", name, _first_six(reasons))


def _grouped(paths: Iterable[Path]) -> tuple[dict[_Visit, dict[str, _Slices]], list[LeftOut]]:
    """Files by visit and by series, and those that say neither."""
    groups: dict[_Visit, dict[str, _Slices]] = {}
    left_out = []
    for path in paths:
        try:
            header = read_header(path, _TAGS)
        except ImageError as error:
            left_out.append(LeftOut((path,), str(error), "unreadable"))
            continue
        if "Rows" not in header and header.get("MediaStorageSOPClassUID", _MR) != _MR:
            left_out.append(LeftOut((path,), "holds no image"))  # a DICOMDIR, a report, a presentation state
            continue
        if missing := [name for name in ("SeriesInstanceUID", "Rows") if name not in header]:
            why = f"{path}: its DICOM header has no {missing[0]}; fetch it again or move it away"
            left_out.append(LeftOut((path,), why, "unreadable"))
            continue
        study = str(header.get("StudyInstanceUID", ""))
        # Without an id nobody knows whether two studies are of one patient, so they are not.
        patient = str(header.get("PatientID", "")) or f"\0{study}"
        series = groups.setdefault((patient, study), {})
        series.setdefault(str(header["SeriesInstanceUID"]), []).append((path, header))
    return groups, left_out


def _candidate(slices: _Slices) -> _Candidate:
    paths, headers = [path for path, _ in slices], [header for _, header in slices]
    header = headers[0]
    number = header.get("SeriesNumber")
    series = Series(
        tuple(paths),
        _printable(header.get("SeriesDescription") or header.get("ProtocolName") or ""),
        number if isinstance(number, int) else None,
    )
    if useless := _useless(headers):
        return _Candidate(series, header, Named(None), useless)
    return _Candidate(series, header, named(header), "", *_places(headers))


def _useless(headers: list[dict[str, Any]]) -> str:
    """Why a series cannot be used whatever it is called; nothing if it can."""
    first = headers[0]
    kind = str(first.get("MediaStorageSOPClassUID", _MR))
    if (modality := first.get("Modality", "MR")) != "MR":
        return f"is {modality}, not MR"
    if kind == _SPECTROSCOPY:
        return "is spectroscopy"
    if kind.startswith(_CAPTURE) or first.get("SamplesPerPixel", 1) != 1:
        return "is a screen capture"
    if kind in _ENHANCED or frames_of(first) > 1:
        return "is enhanced MR, many slices in one file; convert it with dcm2niix and give the NIfTI file"
    if any("ImagePositionPatient" not in one or "ImageOrientationPatient" not in one for one in headers):
        return "does not say where its slices lie (ImagePositionPatient, ImageOrientationPatient)"
    if len(headers) < LEAST_SLICES:
        return f"has only {len(headers)} slices; a head has at least {LEAST_SLICES}"
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


def _of_study(candidates: list[_Candidate], sequence: str | None) -> tuple[dict[str, _Candidate], list[str]]:
    usable = [one for one in candidates if not one.useless]
    if sequence is not None and len(usable) == 1:
        return {sequence: usable[0]}, []
    claims: dict[str, list[_Candidate]] = defaultdict(list)
    for one in usable:
        if one.named.sequence is not None:
            claims[one.named.sequence].append(one)
    if sequence is not None and sequence not in claims:
        claims |= _named_by_caller(usable, sequence)
    agent_known = any(has_agent(one.header) for one in usable)
    chosen, warnings = {}, []
    for name, several in claims.items():
        one, aside = _best(several, name)
        chosen[name] = one
        unsaid = ""
        if name == "t1" and not agent_known:
            unsaid = "; no header names a contrast agent, so see that it is no t1ce"
        warnings += [f"{name} is {one.series.label}; {why}{unsaid}" for why in aside]
        if one.named.remark:
            warnings.append(f"{one.series.label} {one.named.remark}")
        if one.named.agent_unsaid and not agent_known and not aside:
            warnings.append(f"{one.series.label} was taken as t1{unsaid}")
    return chosen, warnings


def _named_by_caller(usable: list[_Candidate], sequence: str) -> dict[str, list[_Candidate]]:
    """The one series whose headers name no sequence, as the sequence that the caller names."""
    unnamed = [one for one in usable if one.named.sequence is None and not one.named.is_other]
    if len(unnamed) > 1:
        raise ImageError(
            f"{unnamed[0].series.folder}: sequence={sequence} may mean "
            f"{' or '.join(one.series.label for one in unnamed)}; give the folder of one alone"
        )
    return {sequence: unnamed} if unnamed else {}


def _best(several: list[_Candidate], name: str) -> tuple[_Candidate, list[str]]:
    """The one that is plainly better than each other, and a phrase on each other.

    Raises:
        ImageError: There is none.
    """
    for one in several:
        others = [other for other in several if other is not one]
        reasons = [_why_worse(other, one) for other in others]
        if all(reasons):
            return one, [
                f"{other.series.label} was left aside, {why}"
                for other, why in zip(others, reasons, strict=True)
            ]
    labels = " and ".join(one.series.label for one in several)
    raise ImageError(
        f"{several[0].series.folder}: {labels} of one study claim to be the {name}; move all but one away, "
        f"or give the folder of one alone with sequence={name}"
    )


def _why_worse(one: _Candidate, better: _Candidate) -> str:
    """Why one is plainly worse than another; nothing if it is not."""
    if one.is_stack != better.is_stack:
        return "" if one.is_stack else "as its slices do not make one volume"
    if one.is_derived != better.is_derived:
        is_worse = one.is_derived and better.step_mm < MUCH_THICKER * one.step_mm
        return "as it is derived" if is_worse else ""
    if _is_part(one, better):
        return f"as it has only {len(one.places)} of the same {len(better.places)} slices"
    if one.step_mm >= MUCH_THICKER * better.step_mm and better.extent_mm >= SAME_EXTENT * one.extent_mm:
        return f"as its slices are {one.step_mm:.3g} mm apart and not {better.step_mm:.3g} mm"
    return ""


def _is_part(one: _Candidate, whole: _Candidate) -> bool:
    for name in ("ImageOrientationPatient", "PixelSpacing"):
        mine, its = (np.ravel(candidate.header.get(name, [])) for candidate in (one, whole))
        if mine.shape != its.shape or not np.allclose(mine, its, atol=1e-3):
            return False
    part, all_of_it = (set(np.round(candidate.places, 1).tolist()) for candidate in (one, whole))
    return part < all_of_it


def _ids(firsts: dict[_Visit, dict[str, Any]]) -> dict[_Visit, str]:
    """A folder's name for each visit, of which the header of one file is given."""
    patients = {patient for patient, _ in firsts}
    cleaned = {patient: _without_odd_signs(patient) for patient in patients}
    folded = [name.casefold() for name in cleaned.values()]
    names = {
        patient: name
        if name == patient and folded.count(name.casefold()) == 1
        else f"{name or 'unknown'}-{_digest(patient)}"
        for patient, name in cleaned.items()
    }
    ids = {}
    for patient, study in firsts:
        visits = [key for key in firsts if key[0] == patient]
        when = "" if len(visits) == 1 else f"_{_when(firsts, visits, study)}"
        ids[patient, study] = names[patient] + when
    folded = [name.casefold() for name in ids.values()]
    # One patient may be called as another's visit is.
    return {
        key: name if folded.count(name.casefold()) == 1 else f"{name}-{_digest('/'.join(key))}"
        for key, name in ids.items()
    }


def _when(firsts: dict[_Visit, dict[str, Any]], visits: list[_Visit], study: str) -> str:
    """What tells a visit from a patient's others: the date, with the study's own id if that is not enough."""
    dates = {key[1]: re.sub(r"\D", "", str(firsts[key].get("StudyDate", "")))[:8] for key in visits}
    date = dates[study]
    if date and list(dates.values()).count(date) == 1:
        return date
    return f"{date or 'undated'}-{_digest(study)}"


def _without_odd_signs(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "" if text.startswith("\0") else text).strip("-._ ")[:64]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _printable(text: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:64]


def _first_six(reasons: list[str]) -> str:
    more = f"; and {len(reasons) - 6} more" if len(reasons) > 6 else ""
    return "; ".join(reasons[:6]) + more
