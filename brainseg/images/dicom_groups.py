"""DICOM files sorted into visits and series, as a PACS sends them.

| what comes                            | becomes                                                            |
| ------------------------------------- | ------------------------------------------------------------------ |
| a damaged header, none of a series    | that file is left out                                              |
| a report, a presentation, a DICOMDIR  | left out                                                           |
| the same instance twice               | one of them, if their pixels are equal                             |
| a SeriesInstanceUID for each slice    | one series by number, description, plane and frame of reference    |
| several echoes, times or types at the | a series each, which its description then names                    |
| same places                           |                                                                    |
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brainseg.config.errors import ImageError
from brainseg.images.dicom_file import load
from brainseg.images.dicom_frames import FRAME
from brainseg.images.dicom_header import read_headers
from brainseg.images.dicom_ids import Visit
from brainseg.images.dicom_naming import HEADER, image_type, named
from brainseg.images.dicom_patients import TAGS as OF_A_PATIENT
from brainseg.images.dicom_pixels import quietly
from brainseg.system.pseudonyms import current

_NO_IMAGE = "holds no image"
MR = "1.2.840.10008.5.1.4.1.1.4"
TAGS = (
    *HEADER,
    *("MediaStorageSOPClassUID", "PatientID", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID"),
    *("SeriesNumber", "Modality", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "SOPInstanceUID"),
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "FrameOfReferenceUID"),
    *("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime"),
    *OF_A_PATIENT,
)
_OF_A_PERSON = (
    *("PatientID", "PatientName", "PatientBirthDate", "OtherPatientIDs", "AccessionNumber", "StudyID"),
    *("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"),
)
_OF_ONE_SERIES = (
    *("SeriesNumber", "SeriesDescription", "FrameOfReferenceUID", "Rows", "Columns", "PixelSpacing"),
    "ImageOrientationPatient",
)
_FIELD_MAP = "FIELD_MAP"  # of ImageType
_OF_PIXELS = ("Rows", "Columns", "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept")
# What tells apart pictures of the same places, each with its name in a description.
_TELLING = {
    "ImageType": "",
    "EchoTime": "TE {:g} ms",
    "InversionTime": "TI {:g} ms",
    "TemporalPositionIdentifier": "time {}",
    "AcquisitionNumber": "acquisition {}",
    "TriggerTime": "trigger {:g} ms",
}

Slices = list[tuple[Path, dict[str, Any]]]  # each slice's file with its header
Kind = Literal["left out", "copy", "unreadable"]


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
    kind: Kind = "left out"
    study: str = ""


@dataclass(frozen=True)
class Group:
    """The slices of a series, or of that part of it that makes one volume.

    Attributes:
        slices: Each file, or each frame of one, with its header.
        part: Which part of a series it is, e.g. "TE 90 ms"; empty for a whole one.
        note: What a person should know of how it was put together.
    """

    slices: Slices
    part: str = ""
    note: str = ""


def grouped(paths: Iterable[Path]) -> tuple[dict[Visit, list[Group]], list[LeftOut]]:
    """The series of each visit, and the files that belong to none."""
    files, left_out = _readable(paths)
    files, copies = _without_copies(files)
    visits: dict[Visit, dict[str, Slices]] = {}
    for path, headers in files:
        first = headers[0]
        study = str(first.get("StudyInstanceUID", ""))
        # Without an id nobody knows whether two studies are of one patient, so they are not.
        patient = str(first.get("PatientID", "")) or f"\0{study}"
        series = visits.setdefault((patient, study), {})
        series.setdefault(str(first["SeriesInstanceUID"]), []).extend((path, header) for header in headers)
    groups = {
        visit: [part for group in _joined(list(series.values())) for part in _parts(group)]
        for visit, series in visits.items()
    }
    return groups, [*left_out, *copies]


_File = tuple[Path, list[dict[str, Any]]]  # the header of each frame


def _readable(paths: Iterable[Path]) -> tuple[list[_File], list[LeftOut]]:
    files, left_out = [], []
    for path in paths:
        try:
            headers = read_headers(path, [*TAGS, *_OF_A_PERSON] if current() else TAGS)
        except ImageError as error:
            left_out.append(LeftOut((path,), str(error).removeprefix(f"{path}: "), "unreadable"))
            continue
        _learn(headers[0])
        if reason := _why_no_slice(headers[0]):
            left_out.append(
                LeftOut((path,), reason, "left out" if reason.startswith(_NO_IMAGE) else "unreadable")
            )
        else:
            files.append((path, headers))
    return files, left_out


def _learn(header: dict[str, Any]) -> None:
    """What must be hidden where names are."""
    if (names := current()) is not None:
        names.learn(*(header[tag] for tag in _OF_A_PERSON if tag in header))


def _why_no_slice(header: dict[str, Any]) -> str:
    kind = str(header.get("MediaStorageSOPClassUID", MR))
    if "Rows" not in header and kind != MR:
        from pydicom.uid import UID

        return f"{_NO_IMAGE} ({UID(kind).name})"  # a DICOMDIR, a report, regions of another viewer
    missing = [name for name in ("SeriesInstanceUID", "Rows") if name not in header]
    return f"its DICOM header has no {missing[0]}; fetch it again or move it away" if missing else ""


def _without_copies(files: list[_File]) -> tuple[list[_File], list[LeftOut]]:
    """The files without those that hold the same instance with the same pixels as another."""
    same: dict[tuple[Any, ...], list[_File]] = defaultdict(list)
    for file in files:
        same[_instance(file[1][0])].append(file)
    kept, copies = [], []
    for several in same.values():
        firsts: dict[str, Path] = {}
        # "x.dcm" before "x(1).dcm"
        for path, headers in sorted(several, key=lambda one: (len(one[0].name), str(one[0]))):
            first = firsts.setdefault(_pixels_of(path), path) if len(several) > 1 else path
            if first is path:
                kept.append((path, headers))
            else:
                copies.append(LeftOut((path,), f"is a copy of {first}", "copy"))
    return kept, copies


def _instance(header: dict[str, Any]) -> tuple[Any, ...]:
    names = (
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "EchoTime",
    )
    return tuple(str(header.get(name)) for name in names)


def _pixels_of(path: Path) -> str:
    """A hash of the pixels; of the path where they cannot be read, which reading will name."""
    with quietly():
        try:
            dataset = load(path)
            how = [str(dataset.get(name)) for name in _OF_PIXELS]
            return hashlib.sha256(" ".join(how).encode() + dataset.PixelData).hexdigest()
        except Exception:  # pydicom meets broken bytes with many types
            return str(path)


def _joined(series: Sequence[Slices]) -> list[Group]:
    """Series of one slice each that differ in nothing but their UID and place, as one."""
    whole = [Group(slices) for slices in series if len(slices) > 1]
    alike: dict[str, Slices] = defaultdict(list)
    for slices in series:
        if len(slices) == 1:
            alike[str([_rounded(slices[0][1].get(name)) for name in _OF_ONE_SERIES])] += slices
    for slices in alike.values():
        note = "was put together from slices that each say that they are a series of their own"
        whole.append(Group(slices, note=note if len(slices) > 1 else ""))
    return whole


def _parts(group: Group) -> list[Group]:
    """The group; or its parts, where it holds several pictures of one place that their headers tell apart."""
    headers = [header for _, header in group.slices]
    weighted = [_b_value(header) for header in headers]
    if max(weighted) > 0:  # the pictures without diffusion weighting belong to it too
        return [
            replace(
                group,
                slices=[(path, {**one, "DiffusionBValue": max(weighted)}) for path, one in group.slices],
            )
        ]
    maps = [header for header in headers if _FIELD_MAP in image_type(header)]
    if maps:  # its magnitude images look like another sequence
        return [
            replace(
                group,
                slices=[(path, {**one, "ImageType": maps[0]["ImageType"]}) for path, one in group.slices],
            )
        ]
    if _are_other(headers) or not _is_doubled(headers):
        return [group]
    keys: list[str] = []
    for key in _TELLING:
        if len({str(_rounded(header.get(key))) for header in headers}) == 1:
            continue
        keys.append(key)
        parts: dict[str, Slices] = defaultdict(list)
        for path, header in group.slices:
            parts[str([_rounded(header.get(name)) for name in keys])].append((path, header))
        if min(map(len, parts.values())) < 2:
            continue
        if not any(_is_doubled([header for _, header in slices]) for slices in parts.values()):
            common = set.intersection(*(set(image_type(header)) for header in headers))
            found = sorted(parts.values(), key=lambda slices: [_order(slices[0][1].get(key)) for key in keys])
            return [replace(group, slices=one, part=_part(one[0][1], keys, common)) for one in found]
    return [group]


def _are_other(headers: list[dict[str, Any]]) -> bool:
    """Whether all are known to be something else than one of the four sequences."""
    kinds = {str([header.get(name) for name in ("ImageType", "EchoTime")]): header for header in headers}
    return all(named(header).is_other for header in kinds.values())


def _b_value(header: dict[str, Any]) -> float:
    value = header.get("DiffusionBValue", 0)
    return float(value) if isinstance(value, int | float) else 0.0


def _is_doubled(headers: list[dict[str, Any]]) -> bool:
    """Whether two slices lie at one place."""
    places = {
        str([_rounded(one.get(name)) for name in ("ImagePositionPatient", "ImageOrientationPatient")])
        for one in headers
        if "ImagePositionPatient" in one
    }
    return 0 < len(places) < len(headers)


def _part(header: dict[str, Any], keys: list[str], common: set[str]) -> str:
    said = [_TELLING[key].format(header[key]) for key in keys if _TELLING[key] and key in header]
    own = [kind for kind in image_type(header) if kind not in common]
    return " ".join([*own, *said])


def _order(value: Any) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _rounded(value: Any) -> Any:
    """Numbers to two digits, as headers give the same place with different ones."""
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(float(np.float64(value)), 2) if isinstance(value, int | float) else value


def frames_in(group: Group) -> frozenset[tuple[Path, int]]:
    """The frames that a part of a series has of enhanced files; none for a whole one."""
    return frozenset((path, header[FRAME]) for path, header in group.slices if group.part and FRAME in header)
