"""NIfTI files read with every fault named, and written on the very grid they came from.

A file (X, Y, Z, 1) is one volume in fact: it is read as three-dimensional and what is written back is too.
"""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError, ImageError, LabelError
from brainseg.files import writing
from brainseg.images.synthetic import SYNTHETIC, is_synthetic
from brainseg.images.volume import Grid, Volume

EXTENSIONS = (".nii", ".nii.gz")
_LONGEST_HEADER = 540  # bytes: NIfTI-2
_UNITS_MM = {1: ("metres", 1000.0), 3: ("microns", 0.001)}  # code in xyzt_units; all others count as mm
_PLAUSIBLE_MM = (0.005, 100.0)  # side of a voxel in a file of another unit than mm
_PLACE_FIELDS = (
    "pixdim",
    "qform_code",
    "sform_code",
    *("quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
    "xyzt_units",
)


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI; nothing is opened."""
    return path.name.lower().endswith(EXTENSIONS)


def stem(path: Path) -> str:
    """The file's name without .nii or .nii.gz."""
    lower = path.name.lower()
    extension = next((e for e in (".nii.gz", ".nii") if lower.endswith(e)), "")
    return path.name[: len(path.name) - len(extension)]


def read(path: str | Path, channel: int | None = None) -> Volume:
    """One scan, float32 (1, X, Y, Z), slope and intercept applied.

    Args:
        path: A .nii or .nii.gz file.
        channel: Which volume of a four-dimensional file, from 0.

    Raises:
        ImageError: The file is missing, damaged or no NIfTI; has several volumes and no channel was given; or
            has voxels that are NaN or infinite, or all of one value.
    """
    path = Path(path)
    image = _decoded(path)
    data = _voxels(image, path, channel, np.float32)
    refuse_useless(data, path)
    return Volume(data[None], _grid(image.header, path))


def read_labels(path: str | Path) -> Volume:
    """A label map, int32 (1, X, Y, Z), with the file's own values; it may be all background.

    Raises:
        LabelError: A value is not an integer.
        ImageError: The file cannot be read, as in `read`.
    """
    path = Path(path)
    image = _decoded(path)
    data = _voxels(image, path, None, np.float32)
    _refuse_not_finite(data, path)
    labels = np.rint(data)
    broken = np.abs(data - labels) > 1e-3
    if broken.any():
        raise LabelError(
            f"{path}: {int(broken.sum())} voxels are not whole numbers, e.g. {data[broken][0]:g}, so "
            "this is no "
            "label map; if it was resampled, do that again by nearest neighbour"
        )
    return Volume(labels.astype(np.int32)[None], _grid(image.header, path))


def read_grid(path: str | Path) -> Grid:
    """Where the voxels of a file lie, from its header alone.

    Raises:
        ImageError: The file is missing, no NIfTI, or its header makes no sense.
    """
    path = Path(path)
    _refuse_missing(path)
    try:
        with _opened(path) as file:
            start = file.read(_LONGEST_HEADER)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, error) from error
    kind = _image_class(start, path)
    try:
        return _grid(kind.header_class.from_fileobj(io.BytesIO(start)), path)
    except HeaderDataError as error:
        raise _bad_header(path, error) from error


def write(path: str | Path, array: NDArray[Any], grid: Grid, *, synthetic: bool = False) -> None:
    """An array on a grid as NIfTI, whole or not at all.

    The file carries the shape, affine, q-form and s-form with their codes, and the unit that the grid
    was read with; slope 1 and intercept 0. Nothing else of the scan's header is kept, as its free text may
    name the patient, but the mark of a phantom.

    Args:
        path: Ends with .nii or .nii.gz.
        array: (X, Y, Z), or (K, X, Y, Z), which becomes four-dimensional with K last. The dtype is kept; bool
            becomes uint8.
        grid: Where the voxels lie. One without a header is written as scanner coordinates in mm.
        synthetic: Mark the file as that of a phantom, for `is_synthetic`.

    Raises:
        GeometryError: The array is not of the grid's shape.
        ImageError: The disk is full, the folder read-only, or NIfTI has no such dtype.
    """
    path = Path(path)
    if not is_nifti(path):
        raise ImageError(f"{path}: the name must end with .nii or .nii.gz")
    if array.ndim not in (3, 4) or array.shape[-3:] != grid.shape:
        raise GeometryError(f"{path}: not written, the array is {array.shape} but the grid is {grid.shape}")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.ndim == 4:
        array = np.moveaxis(array, 0, -1)  # (K, X, Y, Z) -> (X, Y, Z, K)
    try:
        header = _header(grid, array)
        if synthetic or is_synthetic(grid):
            header["descrip"] = SYNTHETIC
        image = nib.Nifti1Image(array, header.get_best_affine(), header, dtype=array.dtype)
    except HeaderDataError as error:
        raise ImageError(f"{path}: NIfTI has no {array.dtype}; convert the array, e.g. to float32") from error
    image.header.set_slope_inter(1.0, 0.0)
    with writing(path) as temporary:
        nib.save(image, temporary)


def _decoded(path: Path) -> nib.Nifti1Image:
    _refuse_missing(path)
    try:
        # To the end of the file, so that a gzip file's checksum, which stands there, is tested too.
        with _opened(path) as file:
            content = file.read()
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, error) from error
    try:
        return _image_class(content, path).from_bytes(content)
    except (HeaderDataError, ValueError) as error:
        raise _bad_header(path, error) from error


def _opened(path: Path) -> IO[bytes]:
    """The file, unpacked if it begins as gzip does: some copies are named .nii but packed, or the reverse."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else open(path, "rb")


def _image_class(start: bytes, path: Path) -> type[nib.Nifti1Image]:
    first, second = start[344:348] == b"n+1\0", start[4:8] == b"n+2\0"
    if not (first or second):
        raise ImageError(
            f"{path}: is not a NIfTI image but {_kind(start)}; give a .nii or .nii.gz file "
            "(dcm2niix makes one from DICOM)"
        )
    return nib.Nifti1Image if first else nib.Nifti2Image


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(
        f"{path}: the gzip file is damaged ({error}), probably cut off in a copy or download "
        f"({path.stat().st_size} bytes); fetch it again"
    )


def _bad_header(path: Path, error: Exception) -> ImageError:
    return ImageError(f"{path}: the NIfTI header is broken ({error}); export it again")


def _refuse_missing(path: Path) -> None:
    if path.is_dir():
        raise ImageError(f"{path}: is a folder; give a .nii or .nii.gz file")
    if not path.exists():
        raise ImageError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: the file is empty (0 bytes); fetch it again")


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


def _grid(header: nib.Nifti1Header, path: Path) -> Grid:
    shape = header.get_data_shape()
    if len(shape) < 3:
        raise ImageError(f"{path}: has {len(shape)} dimensions {tuple(shape)}; a volume of three is needed")
    if 0 in shape:
        raise ImageError(f"{path}: the shape {tuple(shape)} has an empty axis; export it again")
    grid = Grid((shape[0], shape[1], shape[2]), header.get_best_affine(), header)
    if not np.isfinite(grid.affine).all():
        raise ImageError(f"{path}: the affine in the header is not finite; export it again")
    if min(grid.spacing_mm) <= 0 or abs(np.linalg.det(grid.affine[:3, :3] / grid.spacing_mm)) < 1e-3:
        sizes = " x ".join(f"{s:g}" for s in grid.spacing_mm)
        raise ImageError(
            f"{path}: the header places all voxels in a plane (voxel size {sizes} mm); export it again"
        )
    return _in_mm(grid, header, path)


def _in_mm(grid: Grid, header: nib.Nifti1Header, path: Path) -> Grid:
    """The same place by an affine in mm, where the header's numbers are metres or microns."""
    code = int(header["xyzt_units"]) & 7
    if code not in _UNITS_MM:
        return grid
    unit, size_mm = _UNITS_MM[code]
    scaled = Grid(grid.shape, np.diag([size_mm, size_mm, size_mm, 1.0]) @ grid.affine, header)
    low, high = _PLAUSIBLE_MM
    if not low <= min(scaled.spacing_mm) <= max(scaled.spacing_mm) <= high:
        sizes = " x ".join(f"{s:g}" for s in grid.spacing_mm)
        raise ImageError(
            f"{path}: the header says that voxels are {sizes} {unit}, which is no scan of a head; "
            "if these are mm, set xyzt_units in the header to 2"
        )
    return scaled


def _voxels(image: nib.Nifti1Image, path: Path, channel: int | None, dtype: type) -> NDArray[np.float32]:
    """(X, Y, Z), scaled."""
    stored = image.get_data_dtype()
    if stored.fields is not None or stored.kind not in "iufb":
        raise ImageError(
            f"{path}: voxels are {_dtype_name(stored)}, not one number each; export as greyscale"
        )
    _grid(image.header, path)
    try:
        return np.asarray(_one_volume(image, path, channel), dtype=dtype)
    except (OSError, ValueError, EOFError) as error:
        raise ImageError(
            f"{path}: ends before its last voxel, probably cut off in a copy or download; fetch it again"
        ) from error


def _one_volume(image: nib.Nifti1Image, path: Path, channel: int | None) -> NDArray[np.float32]:
    shape = image.shape
    volumes = int(np.prod(shape[3:]))
    if channel is None and volumes > 1:
        raise ImageError(
            f"{path}: holds {volumes} volumes (shape {shape}) where one is needed; name the channel, "
            f"0 to {volumes - 1}, or split the file"
        )
    if channel is not None and not (len(shape) <= 4 and 0 <= channel < volumes):
        raise ImageError(
            f"{path}: has no channel {channel}; its shape is {shape}, channels are 0 to {volumes - 1}"
        )
    if channel is not None and len(shape) == 4:
        return np.asarray(image.dataobj[..., channel], dtype=np.float32)
    return np.asarray(image.dataobj, dtype=np.float32).reshape(shape[:3])


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return "colour (RGB)" if dtype.fields is not None else f"of type {dtype}"


def refuse_useless(data: NDArray[np.float32], where: object) -> None:
    """Refuse voxels of which a scan cannot consist.

    Raises:
        ImageError: Some are NaN or infinite, or all are of one value.
    """
    _refuse_not_finite(data, where)
    if data.min() == data.max():
        raise ImageError(
            f"{where}: all voxels are {data.flat[0]:g}; an empty or failed scan, export it again"
        )


def _refuse_not_finite(data: NDArray[np.float32], path: object) -> None:
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        raise ImageError(
            f"{path}: {bad} of {data.size} voxels are NaN or infinite; export it again, or set them to "
            "0 if they are "
            "background"
        )


def _header(grid: Grid, array: NDArray[Any]) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    if grid.header is not None:
        # Field by field: set_qform would round the quaternion anew, and q-form and s-form may differ on
        # purpose.
        for field in _PLACE_FIELDS:
            header[field] = grid.header[field]
        header["pixdim"][4:] = 1
    else:
        header.set_sform(grid.affine, code="scanner")
        header.set_qform(grid.affine, code="scanner")
        header.set_xyzt_units("mm")
    return header
