"""One DICOM file opened as it comes: with or without a preamble, plain or gzipped."""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import gzip
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from brainseg.config.errors import ImageError

MOST_BYTES = 2**30  # that a packed file may unpack to
_DEFLATES_AT_MOST = 1032  # times, by the format: 258 bytes for each 2 bits
_GZIP = b"\x1f\x8b"
_MARK = b"DICM"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")  # one of these goes first where there is no preamble
_LONGEST_FIRST = 1024  # bytes of a first element's value
_NIFTI = (".nii.gz", ".hdr.gz", ".img.gz")


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes, whatever its name; gzipped ones too.

    A file without a preamble begins with an element that the dictionary knows, and names its class or rows.

    Raises:
        ImageError: The file may not be read.
    """
    if not path.is_file():  # a pipe would be waited for
        return False
    try:
        head = _head(path)
        return _has_mark(head) or (_starts_with_element(head) and _is_image_or_report(path))
    except OSError as error:
        raise unreadable(path, error) from error


def load(path: Path, **how: Any) -> Any:
    """The dataset of a file, by pydicom; its transfer syntax is told where the file has none.

    Args:
        path: The file.
        how: What `pydicom.dcmread` takes. `defer_size` holds for plain files alone.

    Raises:
        OSError: The file cannot be read.
        ImageError: It is packed and may unpack to more than any slice has.
        Exception: pydicom meets broken bytes with many types.
    """
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    head = _head(path)
    packed = _unpacked(path) if _is_gzip(path) else None
    if packed is not None:
        how.pop("defer_size", None)
    elif _has_mark(head):
        _refuse_bomb(path)
    source = path if packed is None else BytesIO(packed)
    dataset = pydicom.dcmread(source, force=not _has_mark(head) and _starts_with_element(head), **how)
    if "TransferSyntaxUID" not in dataset.file_meta and not _has_mark(head):
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


def is_plain(path: Path) -> bool:
    """Whether GDCM can read the file as it is: not gzipped, and with a preamble."""
    return not _is_gzip(path) and _has_mark(_head(path))


def size_of(path: Path) -> int:
    """Bytes of the file, unpacked where it is gzipped."""
    return len(_unpacked(path)) if _is_gzip(path) else path.stat().st_size


def unreadable(path: Path, error: OSError) -> ImageError:
    reason = (error.strerror or str(error)).lower()
    return ImageError(f"{path}: cannot be read ({reason}); make it readable or move it away")


def _head(path: Path) -> bytes:
    """The first bytes, unpacked; none where they cannot be unpacked."""
    with open(path, "rb") as file:
        head = file.read(132)
    if not head.startswith(_GZIP) or path.name.lower().endswith(_NIFTI):
        return head
    try:
        with gzip.open(path) as unpacked:
            return unpacked.read(132)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return b""


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == _GZIP


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImageError(f"{path}: cannot be unpacked ({error}); fetch it again") from error
    if len(content) > MOST_BYTES:
        raise _too_large(path, "gzip", "gunzip")
    return content


def _has_mark(head: bytes) -> bool:
    return head[128:132] == _MARK


def _starts_with_element(head: bytes) -> bool:
    if head[:2] not in _FIRST_GROUPS or len(head) < 12:
        return False
    from pydicom.datadict import dictionary_VR

    tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
    try:
        kind = dictionary_VR(tag)
    except KeyError:
        return False
    return head[4:6] == kind.encode() or int.from_bytes(head[4:8], "little") <= _LONGEST_FIRST


def _is_image_or_report(path: Path) -> bool:
    """Whether what looks like DICOM without a preamble parses as such."""
    try:
        found = load(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "Rows", "Modality"])
    except Exception:  # pydicom meets other bytes with many types
        return False
    return "SOPClassUID" in found or ("Rows" in found and "Modality" in found)


def _refuse_bomb(path: Path) -> None:
    """Refuse a file that is packed as a whole and unpacks to more than any slice has."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if read_file_meta_info(path).get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    # From the first byte on, as what stands before the packed part is short; pydicom unpacks that part whole.
    if path.stat().st_size * _DEFLATES_AT_MOST > MOST_BYTES:
        raise _too_large(path, DeflatedExplicitVRLittleEndian.name, "dcmconv +te")


def _too_large(path: Path, packing: str, tool: str) -> ImageError:
    return ImageError(
        f"{path}: is packed ({packing}) and may unpack to more than {MOST_BYTES / 1e6:.0f} MB; unpack it, "
        f"e.g. with {tool}, or fetch it again"
    )
