"""Whether the pixels of a DICOM file are what its header says, told before anything decodes them.

A decoder that is given less than it needs fills the rest with whatever is in memory, and one that is given a
large picture makes it, whatever Rows and Columns say.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from brainseg.config.errors import ImageError
from brainseg.images.dicom_file import load, size_of

_UNDEFINED = 0xFFFFFFFF  # the length of pixels that are compressed, in pieces
_SIZE_IN_JPEG_2000 = b"\xff\x4f\xff\x51"  # start of codestream, and SIZ
_LARGE = 1024  # bytes
_ABOUT_PIXELS = (
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PixelData"),
)
_JPEG = b"\xff\xd8"
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 but tables; SOF55 of JPEG-LS


def refuse_wrong_pixels(path: Path, n_rows: int, n_columns: int, n_frames: int = 1) -> None:
    """Refuse pixels that are fewer than the header says, more by a row or more, or a picture of another size.

    Raises:
        ImageError: They are, or there are none.
    """
    try:
        with quietly():
            _refuse_wrong(path, n_rows, n_columns, n_frames)
    except ImageError:
        raise
    except Exception as error:  # pydicom meets broken bytes with many types
        raise ImageError(f"{path}: the DICOM header is damaged ({error}); fetch it again") from error


def _refuse_wrong(path: Path, n_rows: int, n_columns: int, n_frames: int) -> None:
    dataset, size = _dataset(path), size_of(path)
    _refuse_unclear(dataset, path)
    element = dataset.get_item("PixelData", keep_deferred=True)
    if element.length == _UNDEFINED:
        _refuse_other_size(pictures_of(dataset, n_frames), path, n_rows, n_columns)
    else:
        there = min(element.length, _bytes_there(element, size))
        _refuse_other_length(max(there, 0), path, n_rows * n_frames, n_columns, dataset.BitsAllocated)
    if tag := _cut_short(dataset.file_meta, size) or _cut_short(dataset, size):
        raise ImageError(
            f"{path}: its element {tag} is of no type that DICOM has, or claims more bytes than the file "
            "has; fetch it again"
        )


def _refuse_unclear(dataset: Any, path: Path) -> None:
    """Refuse a file that does not say how its pixels are stored."""
    missing = [name for name in _ABOUT_PIXELS if name not in dataset]
    syntax = dataset.file_meta.get("TransferSyntaxUID", "")
    if not (syntax and (syntax.is_private or syntax.type == "Transfer Syntax")):
        missing.append("TransferSyntaxUID")
    if missing:
        raise ImageError(
            f"{path}: its header has no usable {missing[0]}, so its pixels cannot be read; export it again"
        )
    allocated, stored, high = (dataset.get(name) for name in _ABOUT_PIXELS[:3])
    numbers = all(isinstance(bits, int) for bits in (allocated, stored, high))
    if not (numbers and 1 <= stored <= allocated and high < allocated):
        raise ImageError(
            f"{path}: its pixels have {stored} bits, up to bit {high}, of {allocated}, which makes no sense; "
            "export it again"
        )


def _refuse_other_length(there: int, path: Path, n_rows: int, n_columns: int, bits: int) -> None:
    needed, row = (math.ceil(n * n_columns * bits / 8) for n in (n_rows, 1))
    if not needed <= there < needed + max(row, 2):  # an odd number of bytes is padded
        raise ImageError(
            f"{path}: {n_rows} rows x {n_columns} columns of {bits} bits are {needed} bytes, but its pixels "
            f"are {there} bytes, probably cut off in a copy; fetch it again"
        )


def _cut_short(dataset: Any, size: int) -> str:
    """The first element that claims more than is there, or is of no type; nothing if none is so.

    GDCM makes room for what an element claims, and takes the bytes behind an unknown type for a length.

    Args:
        dataset: As it was read, or an item within it.
        size: Size of the file in bytes.
    """
    from pydicom.dataelem import RawDataElement
    from pydicom.valuerep import VR

    for element in list(dataset.values()):  # as they were read, not yet decoded
        if not isinstance(element, RawDataElement):  # decoded, so it was there
            continue
        is_known = element.VR is None or element.VR in VR.__members__  # None: by the dictionary
        is_short = element.length not in (_UNDEFINED, 0) and element.length > _bytes_there(element, size)
        if is_short or not is_known:
            return str(element.tag)
        if element.VR == "SQ" and (within := _cut_short_in(dataset[element.tag].value, size)):
            return within
    return ""


def _bytes_there(element: Any, size: int) -> int:
    """How many bytes an element's value has: as it was read, or as the file has them from there on."""
    return size - int(element.value_tell) if element.value is None else len(element.value)


def _cut_short_in(items: Any, size: int) -> str:
    return next((tag for item in items if (tag := _cut_short(item, size))), "")


def _dataset(path: Path) -> Any:
    """All elements, with what is needed decoded; large ones left in the file unless it is packed."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    start = load(path, stop_before_pixels=True, specific_tags=[])
    packed = start.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    dataset = load(path) if packed else load(path, defer_size=_LARGE)
    for name in _ABOUT_PIXELS[:-1]:
        dataset.get(name)  # decoded on first use
    return dataset


def pictures_of(dataset: Any, n_frames: int = 1) -> list[bytes]:
    """The compressed pictures; none where the pieces cannot be told apart, which the decoder then says."""
    from pydicom.encaps import generate_frames

    try:
        return list(generate_frames(dataset.PixelData, number_of_frames=n_frames))
    except Exception:  # the decoder names the fault
        return []


def _refuse_other_size(frames: list[bytes], path: Path, n_rows: int, n_columns: int) -> None:
    for frame in frames:
        size = picture_size(frame)
        if size is not None and size != (n_rows, n_columns):
            raise ImageError(
                f"{path}: its header says {n_rows} rows x {n_columns} columns, but the picture in it has "
                f"{size[0]} x {size[1]}; fetch it again"
            )


def picture_size(codestream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 codestream claims; None if it is none of these."""
    if codestream.startswith(_SIZE_IN_JPEG_2000):
        # After both markers: length and profile of two bytes each, then end and start of X and of Y.
        x_end, y_end, x, y = (int.from_bytes(codestream[at : at + 4]) for at in (8, 12, 16, 20))
        return y_end - y, x_end - x
    if codestream.startswith(_JPEG):
        return _size_in_jpeg(codestream)
    return None


def _size_in_jpeg(codestream: bytes) -> tuple[int, int] | None:
    """By the start-of-frame segment."""
    at = 2
    while at + 9 <= len(codestream) and codestream[at] == 0xFF:
        marker, length = codestream[at + 1], int.from_bytes(codestream[at + 2 : at + 4])
        if marker in _FRAME_MARKERS:
            rows, columns = (int.from_bytes(codestream[at + n : at + n + 2]) for n in (5, 7))
            return rows, columns
        at += 2 + length
    return None


class _Quiet:
    """What pydicom says, switched off while any thread reads or writes: it is the same for all threads."""

    def __init__(self) -> None:
        self._lock, self._inside, self._undo = Lock(), 0, ExitStack()

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            from pydicom import config

            before = config.settings.reading_validation_mode
            self._undo.callback(setattr, config.settings, "reading_validation_mode", before)
            config.settings.reading_validation_mode = config.IGNORE
            self._undo.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._undo.close()


_quiet = _Quiet()


@contextmanager
def quietly() -> Iterator[None]:
    """Values that break a rule of DICOM's are no news here, and a warning would print what they hold."""
    _quiet.enter()
    try:
        yield
    finally:
        _quiet.leave()
