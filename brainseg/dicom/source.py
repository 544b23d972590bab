"""The series that a result was made from, as far as DICOM objects made from it must repeat or name it."""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import gzip
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainseg.config.errors import ImageError
from brainseg.dicom.enhanced import Frame, frame_of, header_of_each_frame
from brainseg.images.dicom import Series
from brainseg.images.dicom_frames import has_frames
from brainseg.images.dicom_pixels import quietly

# What an image of a patient must have, though it may be empty: scanners and anonymisers leave some out.
_MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
_SAME_PLANE = 1e-3  # of cosines, whose text is rounded otherwise from slice to slice
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Sources:
    """The slices that a result was made from.

    Attributes:
        headers: Of each file, or of each frame that is used of an enhanced one (pydicom.Dataset, no pixels).
        frames: What refers to each of them, by the SOPInstanceUID of its header.
    """

    headers: list[Any]
    frames: dict[str, Frame]


def sources_of(series: Series, step_mm: float) -> Sources:
    """The headers of a series, with what is missing and has a default.

    Args:
        series: Of one study.
        step_mm: Between slices; the thickness of those that do not say theirs.

    Raises:
        ImageError: A header lacks what names it.
    """
    headers: list[Any] = []
    frames: dict[str, Frame] = {}
    for path in series.files:
        header = _header(path)
        found = [(header, frame_of(header))]
        if has_frames(header):
            found = list(header_of_each_frame(path, header, series.frames))
        headers += [one for one, _ in found]
        frames |= {str(one.SOPInstanceUID): frame for one, frame in found}
    _fill(headers, step_mm)
    return Sources(headers, frames)


def _fill(headers: list[Any], step_mm: float) -> None:
    """Give each header what it lacks, and all of them the first one's plane where they mean the same."""
    first = headers[0]
    named = next((str(one.FrameOfReferenceUID) for one in headers if one.get("FrameOfReferenceUID")), None)
    for header in headers:
        for keyword in _MAY_BE_EMPTY:
            if keyword not in header:
                setattr(header, keyword, None)
        if not header.get("SliceThickness"):
            header.SliceThickness = f"{step_mm:.6g}"
        if not header.get("FrameOfReferenceUID"):
            header.FrameOfReferenceUID = named or uid_of(
                [str(header.SeriesInstanceUID), "frame of reference"]
            )
        turn, wanted = (np.array(one.ImageOrientationPatient, dtype=np.float64) for one in (header, first))
        if np.allclose(turn, wanted, atol=_SAME_PLANE):
            header.ImageOrientationPatient = first.ImageOrientationPatient


def uid_of(about: Sequence[str]) -> str:
    """A UID that is the same for the same content, so that the same result is not archived twice."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=list(about)))


@contextmanager
def silently() -> Iterator[None]:
    """Nothing is printed or logged of the headers, which hold the patient's name and UIDs."""
    logger = logging.getLogger("highdicom")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quietly():
            yield
    finally:
        logger.setLevel(before)


def _header(path: Path) -> Any:
    import pydicom

    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with quietly(), gzip.open(path) if packed else open(path, "rb") as content:
        header = pydicom.dcmread(content, stop_before_pixels=True, force=True)
    if missing := [name for name in _NEEDED if not header.get(name)]:
        raise ImageError(f"{path}: its header has no {missing[0]}, which DICOM made from it must name")
    return header
