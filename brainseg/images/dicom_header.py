"""What the header of one DICOM file says, pixels left alone.

A header is read as it is: a value that is absent, empty or broken is left out, and the function that needs
it says so.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.dicom_file import load, unreadable
from brainseg.images.dicom_frames import FRAME, frame_values, has_frames
from brainseg.images.dicom_frames import SEQUENCES as FRAME_TAGS
from brainseg.images.dicom_pixels import quietly

_NUMBERS = {"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL"}  # DICOM's types of them


def read_header(path: Path, keywords: Sequence[str]) -> dict[str, Any]:
    """Values by keyword, pixels left alone: str, int, float, or a list of these; of the first frame.

    What is absent, empty, or text where a number belongs is not among them.

    Raises:
        ImageError: The file may not be read, or the header is damaged.
    """
    return read_headers(path, keywords)[0]


def read_headers(path: Path, keywords: Sequence[str]) -> list[dict[str, Any]]:
    """The same for each frame of an enhanced file, with its number as `FRAME`; one of any other file.

    Raises:
        ImageError: The file may not be read, or the header is damaged.
    """
    with quietly():
        try:
            tags = [*keywords, *FRAME_TAGS, "SOPClassUID"]
            dataset = load(path, stop_before_pixels=True, specific_tags=tags)
        except ImageError:
            raise
        except OSError as error:
            raise unreadable(path, error) from error
        except Exception as error:  # pydicom meets broken bytes with many types
            raise ImageError(f"{path}: the DICOM header is damaged ({error}); fetch it again") from error
        values = {name: _of_file(dataset, name) for name in keywords}
        values = {keyword: value for keyword, value in values.items() if value not in (None, "", [])}
        if not has_frames(dataset):
            return [values]
        try:
            frames = list(frame_values(dataset, values, path, _plain))
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(f"{path}: the DICOM header is damaged ({error}); fetch it again") from error
    wanted = {*keywords, FRAME}
    return [{name: value for name, value in frame.items() if name in wanted} for frame in frames]


def _of_file(dataset: Any, name: str) -> Any:
    """A value of the header, or of what stands before it; a class is told by either."""
    if not name.startswith("MediaStorage"):
        return _plain(dataset, name)
    value = _plain(dataset.file_meta, name)
    return _plain(dataset, name.removeprefix("MediaStorage")) if value in (None, "") else value


def frames_of(header: Mapping[str, Any]) -> float:
    """How many pictures a file holds, by its header."""
    return float(np.max(header.get("NumberOfFrames", 1)))


def numbers_of(header: dict[str, Any], keyword: str, count: int, path: Path) -> NDArray[np.float64]:
    """So many numbers of a header.

    Raises:
        ImageError: They are absent, of another count, or not finite.
    """
    try:
        numbers = np.atleast_1d(np.asarray(header[keyword], dtype=np.float64))
    except (KeyError, ValueError, TypeError) as error:
        raise ImageError(
            f"{path}: its header has no usable {keyword}, so nobody knows where the slice lies; "
            "export the series again from the scanner or the PACS"
        ) from error
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ImageError(f"{path}: {keyword} is {listed(numbers)}, where {count} numbers are needed")
    return numbers


def _plain(dataset: Any, keyword: str) -> Any:
    """A value as Python's own type, a number where DICOM has one; None where it is absent or nonsense."""
    from pydicom.datadict import dictionary_VR

    try:
        element = dataset[keyword]
        value = [element.value] if element.VM <= 1 else list(element.value)
        if dictionary_VR(keyword) in _NUMBERS:
            value = [int(v) if isinstance(v, int) else float(v) for v in value]
        else:
            value = [str(v).strip() for v in value if v is not None]
    except Exception:  # pydicom decodes on first use, and meets broken bytes with many types
        return None
    if any(isinstance(v, float) and not math.isfinite(v) for v in value):
        return None
    return value[0] if len(value) == 1 else value


def listed(numbers: NDArray[np.float64]) -> str:
    """E.g. "(1, 0.5, 0)"."""
    return "(" + ", ".join(f"{number:.6g}" for number in np.atleast_1d(numbers)) + ")"
