"""Whether the pixels of a DICOM file are what its header says, told before anything decodes them.

A decoder that is given less than it needs fills the rest with whatever is in memory, and one that is given a
large picture makes it, whatever Rows and Columns say.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import math
from pathlib import Path
from typing import Any

from brainseg.config.errors import ImageError

_UNDEFINED = 0xFFFFFFFF  # the length of pixels that are compressed, in pieces
_SIZE_IN_JPEG_2000 = b"\xff\x4f\xff\x51"  # start of codestream, and SIZ
_JPEG = b"\xff\xd8"
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 but tables; SOF55 of JPEG-LS


def refuse_wrong_pixels(path: Path, n_rows: int, n_columns: int) -> None:
    """Refuse pixels that are fewer than the header says, more by a row or more, or a picture of another size.

    Raises:
        ImageError: They are, or there are none.
    """
    dataset = _dataset(path)
    bits = dataset.get("BitsAllocated")
    if "PixelData" not in dataset or not isinstance(bits, int) or bits < 1:
        raise ImageError(f"{path}: holds no pixels, or does not say how large they are; export it again")
    element = dataset.get_item("PixelData", keep_deferred=True)
    if element.length == _UNDEFINED:
        _refuse_other_size(_frames(dataset), path, n_rows, n_columns)
        return
    there = min(element.length, path.stat().st_size - element.value_tell)
    needed, row = (math.ceil(n * n_columns * bits / 8) for n in (n_rows, 1))
    if not needed <= there < needed + max(row, 2):  # an odd number of bytes is padded
        raise ImageError(
            f"{path}: {n_rows} rows x {n_columns} columns of {bits} bits are {needed} bytes, but its pixels "
            f"are {max(there, 0)} bytes, probably cut off in a copy; fetch it again"
        )


def _dataset(path: Path) -> Any:
    """Only what is needed, with pixels that are not compressed left in the file."""
    import pydicom

    try:
        dataset = pydicom.dcmread(
            path, defer_size=256, specific_tags=["BitsAllocated", "NumberOfFrames", "PixelData"]
        )
        dataset.get("BitsAllocated")  # decoded on first use
    except Exception as error:  # pydicom meets broken bytes with many types
        raise ImageError(f"{path}: the DICOM header is damaged ({error}); fetch it again") from error
    return dataset


def _frames(dataset: Any) -> list[bytes]:
    """The compressed pictures; none where the pieces cannot be told apart, which the decoder then says."""
    from pydicom.encaps import generate_frames

    try:
        return list(generate_frames(dataset.PixelData, number_of_frames=1))
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
