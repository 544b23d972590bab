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
from brainseg.images.dicom_pixels import quietly

_NUMBERS = {"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL"}  # DICOM's types of them
_MOST_BYTES = 2**30  # that a packed file may unpack to
_DEFLATES_AT_MOST = 1032  # times, by the format: 258 bytes for each 2 bits


def is_dicom(path: Path) -> bool:
    """Whether a file has the mark of DICOM after its preamble, whatever its name.

    Raises:
        ImageError: The file may not be read.
    """
    if not path.is_file():  # a pipe would be waited for
        return False
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise _unreadable(path, error) from error


def read_header(path: Path, keywords: Sequence[str]) -> dict[str, Any]:
    """Values by keyword, pixels left alone: str, int, float, or a list of these.

    What is absent, empty, or text where a number belongs is not among them.

    Raises:
        ImageError: The file may not be read, or the header is damaged.
    """
    import pydicom

    with quietly():
        try:
            _refuse_bomb(path)
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(keywords))
        except ImageError:
            raise
        except OSError as error:
            raise _unreadable(path, error) from error
        except Exception as error:  # pydicom meets broken bytes with many types
            raise ImageError(f"{path}: the DICOM header is damaged ({error}); fetch it again") from error
        meta = dataset.file_meta
        values = {
            name: _plain(meta if name.startswith("MediaStorage") else dataset, name) for name in keywords
        }
    return {keyword: value for keyword, value in values.items() if value not in (None, "", [])}


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


def _refuse_bomb(path: Path) -> None:
    """Refuse a file that is packed as a whole and unpacks to more than any slice has."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if read_file_meta_info(path).get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    # From the first byte on, as what stands before the packed part is short; pydicom unpacks that part whole.
    if path.stat().st_size * _DEFLATES_AT_MOST > _MOST_BYTES:
        raise ImageError(
            f"{path}: is packed ({DeflatedExplicitVRLittleEndian.name}) and may unpack to more than "
            f"{_MOST_BYTES / 1e6:.0f} MB; unpack it, e.g. with dcmconv +te, or fetch it again"
        )


def _unreadable(path: Path, error: OSError) -> ImageError:
    reason = (error.strerror or str(error)).lower()
    return ImageError(f"{path}: cannot be read ({reason}); make it readable or move it away")


def listed(numbers: NDArray[np.float64]) -> str:
    """E.g. "(1, 0.5, 0)"."""
    return "(" + ", ".join(f"{number:.6g}" for number in np.atleast_1d(numbers)) + ")"
