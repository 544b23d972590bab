"""The series that a result was made from, as far as DICOM objects made from it must repeat or name it."""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import gzip
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainseg.config.errors import ImageError
from brainseg.images.dicom import Series
from brainseg.images.dicom_pixels import quietly

# What an image of a patient must have, though it may be empty: scanners and anonymisers leave some out.
_MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def headers_of(series: Series, step_mm: float) -> list[Any]:
    """The header of each file (pydicom.Dataset without pixels), with what is missing and has a default.

    Args:
        series: Of one study.
        step_mm: Between slices; the thickness of those that do not say theirs.

    Raises:
        ImageError: A header lacks what names it.
    """
    headers = [_header(path) for path in series.files]
    frame = next((str(one.FrameOfReferenceUID) for one in headers if one.get("FrameOfReferenceUID")), None)
    for header in headers:
        for keyword in _MAY_BE_EMPTY:
            if keyword not in header:
                setattr(header, keyword, None)
        if not header.get("SliceThickness"):
            header.SliceThickness = f"{step_mm:.6g}"
        if not header.get("FrameOfReferenceUID"):
            header.FrameOfReferenceUID = frame or uid_of(
                [str(header.SeriesInstanceUID), "frame of reference"]
            )
    return headers


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
