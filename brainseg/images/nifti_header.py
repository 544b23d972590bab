"""What the first bytes of a NIfTI or Analyze file say, and what in them had to be mended to be read."""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

import logging
import math
from pathlib import Path
from typing import Any

import nibabel as nib
from nibabel.nifti1 import Nifti1PairHeader
from nibabel.nifti2 import Nifti2PairHeader
from nibabel.spm99analyze import Spm99AnalyzeHeader

from brainseg.config.errors import ImageError
from brainseg.images.nifti_pair import is_pair
from brainseg.images.size_limits import refuse_too_many
from brainseg.images.volume import Remark

LONGEST_HEADER = 540  # bytes: NIfTI-2
_EXTENSION_FLAG = 4  # bytes between the header and what follows it
_ANALYZE = 348  # sizeof_hdr, the first number of an Analyze header


def header_of(start: bytes, path: Path) -> tuple[nib.Nifti1Header, tuple[Remark, ...]]:
    """The header that a file begins with, and what of it was mended.

    Args:
        start: The first `LONGEST_HEADER` bytes, or all there are.
        path: For the messages; its name says whether it is the header of a pair.

    Raises:
        ImageError: It is no header, or makes no sense.
    """
    kind = _header_class(start, path)
    size = kind.template_dtype.itemsize
    if len(start) < size:
        raise ImageError(f"{path}: ends within its header ({len(start)} bytes of {size}); fetch it again")
    header = kind(start[:size], check=False)
    offset = float(header["vox_offset"])
    if not (math.isfinite(offset) and offset >= 0 and offset == int(offset)):
        raise ImageError(
            f"{path}: the header says that the voxels begin at byte {offset:g} (vox_offset), where a whole "
            f"number from {0 if is_pair(path) else first_place(header)} on is needed; export it again"
        )
    mended = _Mended()
    try:
        header.check_fix(logger=mended)
        shape = header.get_data_shape()
        header.get_data_dtype(), header.get_slope_inter(), header.get_best_affine()
    except Exception as error:  # nibabel meets broken bytes with many types
        raise ImageError(f"{path}: the NIfTI header is broken ({error}); export it again") from error
    _refuse_shape(tuple(int(n) for n in shape), path)
    remarks = tuple(
        Remark(f"the header breaks the rules of NIfTI and was mended to be read ({said}); export it again")
        for said in mended.said
    )
    return (header, remarks) if isinstance(header, nib.Nifti1Header) else (_of_analyze(header), remarks)


class _Mended:
    """In the place of nibabel's logger, whose lines do not name the file."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, level: int, message: str) -> None:
        if level >= logging.WARNING:
            self.said.append(message)


def _of_analyze(header: Spm99AnalyzeHeader) -> nib.Nifti1Header:
    """The same as NIfTI without a place, which Analyze has no field for that all programs agree on."""
    same = Nifti1PairHeader(endianness=header.endianness)
    same.set_data_dtype(header.get_data_dtype())
    same.set_data_shape(header.get_data_shape())
    same.set_zooms(header.get_zooms())
    slope, _ = header.get_slope_inter()
    same.set_slope_inter(1.0 if slope is None else slope, 0.0)
    same["vox_offset"] = header["vox_offset"]
    return same


def _header_class(start: bytes, path: Path) -> type[nib.Nifti1Header] | type[Spm99AnalyzeHeader]:
    if is_pair(path):
        if start[344:348] == b"ni1\0":
            return Nifti1PairHeader
        if start[4:8] == b"ni2\0":
            return Nifti2PairHeader
        if start[:4] in (_ANALYZE.to_bytes(4, "little"), _ANALYZE.to_bytes(4, "big")):
            return Spm99AnalyzeHeader
        raise ImageError(f"{path}: is no header of NIfTI or Analyze but {_kind(start)}; give a .nii.gz file")
    first, second = start[344:348] == b"n+1\0", start[4:8] == b"n+2\0"
    if not (first or second):
        raise ImageError(
            f"{path}: is not a NIfTI image but {_kind(start)}; give a .nii or .nii.gz file "
            "(dcm2niix makes one from DICOM)"
        )
    return nib.Nifti1Header if first else nib.Nifti2Header


def first_place(header: Any) -> int:
    """Where voxels may begin, in bytes: 352 in NIfTI-1, 544 in NIfTI-2."""
    return int(header.template_dtype.itemsize) + _EXTENSION_FLAG


def _refuse_shape(shape: tuple[int, ...], path: Path) -> None:
    if len(shape) < 3:
        raise ImageError(f"{path}: has {len(shape)} dimensions {shape}; a volume of three is needed")
    if min(shape) < 1:
        raise ImageError(f"{path}: the shape {shape} has an empty axis; export it again")
    refuse_too_many(shape[:3], f"{path}: the header claims", "export it again")


def _kind(start: bytes) -> str:
    known = {b"\xff\xd8\xff": "a JPEG", b"\x89PNG": "a PNG", b"PK\x03\x04": "a zip archive", b"%PDF": "a PDF"}
    for magic, name in known.items():
        if start.startswith(magic):
            return name
    if start[128:132] == b"DICM":
        return "a DICOM file"
    if start.isascii() and b"\0" not in start:
        return f"text beginning {start[:20].decode()!r}"
    return "something unknown"
