"""Files of scans read with every fault named, and written as NIfTI on the very grid they came from.

NIfTI, in one file or a pair, and Analyze are read here; NRRD and MetaImage by `itk_file`. A file (X, Y, Z, 1)
holds one volume: it is read as (X, Y, Z), and results for it are written so too.
"""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError, ImageError, LabelError
from brainseg.files.atomic import writing
from brainseg.files.packed import packing
from brainseg.images import itk_file, nifti_pair
from brainseg.images.background import is_background
from brainseg.images.header_faults import faults_of
from brainseg.images.nifti_file import opened
from brainseg.images.phantom_mark import SYNTHETIC, is_synthetic
from brainseg.images.size_limits import MOST_FIELD_MM, SIDE_OF_VOXEL_MM, by, refuse_no_head
from brainseg.images.volume import Grid, Remark, Volume

WRITTEN = (".nii.gz", ".nii")
# What a file of a scan may be called. Of a pair this is the header; the voxels lie in .img beside it.
EXTENSIONS = (*WRITTEN, *nifti_pair.HEADERS, *itk_file.EXTENSIONS)
_UNITS_MM = {1: ("metres", 1000.0), 3: ("microns", 0.001)}  # code in xyzt_units; all others count as mm
_UNKNOWN_UNIT = 0
_LEAST_FIELD_MM = 50.0  # of a head, where its size must tell the unit
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
    """Whether the name says NIfTI, or another format that is read as NIfTI is; nothing is opened."""
    return path.name.lower().endswith(EXTENSIONS)


def stem(path: Path) -> str:
    """The file's name without its extension, such as .nii.gz."""
    lower = path.name.lower()
    extension = max((e for e in EXTENSIONS if lower.endswith(e)), key=len, default="")
    return path.name[: len(path.name) - len(extension)]


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that a scan is read from, the named one first."""
    if itk_file.is_itk(path):
        return itk_file.files_of(path)
    return tuple(dict.fromkeys((path, *nifti_pair.parts_of(path))))


def check_header(path: Path) -> None:
    """Read the header alone.

    Raises:
        ImageError: It makes no sense.
    """
    if itk_file.is_itk(path):
        itk_file.check_header(path)
    else:
        with opened(path):
            pass


def read(path: str | Path, channel: int | None = None) -> Volume:
    """One scan, float32 (1, X, Y, Z), slope and intercept applied.

    Args:
        path: A file with one of `EXTENSIONS`.
        channel: Which volume of a four-dimensional file, from 0.

    Raises:
        ImageError: The file is missing, damaged or no NIfTI; has several volumes and no channel was given; or
            has voxels that are NaN or infinite, or all of one value.
    """
    path = Path(path)
    data, grid, remarks = _opened(path, channel)
    data, background = _without_nan(data)
    refuse_useless(data, path)
    return Volume(data[None], grid, (*remarks, *background))


def read_labels(path: str | Path) -> Volume:
    """A label map, int32 (1, X, Y, Z), with the file's own values; it may be all background.

    Raises:
        LabelError: A value is not an integer.
        ImageError: The file cannot be read, as in `read`.
    """
    path = Path(path)
    data, grid, remarks = _opened(path, None)
    _refuse_not_finite(data, path)
    labels = np.rint(data)
    broken = np.abs(data - labels) > 1e-3
    if broken.any():
        raise LabelError(
            f"{path}: {int(broken.sum())} voxels are not whole numbers, e.g. {data[broken][0]:g}, so "
            "this is no "
            "label map; if it was resampled, do that again by nearest neighbour"
        )
    return Volume(labels.astype(np.int32)[None], grid, remarks)


def _opened(path: Path, channel: int | None) -> tuple[NDArray[np.float32], Grid, tuple[Remark, ...]]:
    """The voxels (X, Y, Z) of a file, where they lie, and what of its header a person should know."""
    if itk_file.is_itk(path):
        return itk_file.read(path, channel)
    with opened(path) as file:
        grid, remarks = _grid(file.header, path)
        return file.voxels(channel), grid, (*file.remarks, *remarks)


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
    if not path.name.lower().endswith(WRITTEN):
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
    except HeaderDataError as error:
        raise ImageError(f"{path}: NIfTI has no {array.dtype}; convert the array, e.g. to float32") from error
    header.set_slope_inter(1.0, 0.0)
    header.set_data_offset(header.single_vox_offset)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # as the new header is
    with writing(path) as temporary, _to_fill(temporary) as file:
        header.write_to(file)
        for slab in np.moveaxis(array, -1, 0):  # the last axis runs slowest
            file.write(slab.tobytes(order="F"))


def _to_fill(path: Path) -> AbstractContextManager[IO[Any]]:
    return packing(path) if path.name.lower().endswith(".gz") else open(path, "wb")


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def _grid(header: nib.Nifti1Header, path: Path) -> tuple[Grid, tuple[Remark, ...]]:
    shape = header.get_data_shape()
    grid = Grid((shape[0], shape[1], shape[2]), header.get_best_affine(), header)
    if not np.isfinite(grid.affine).all():
        raise ImageError(f"{path}: the affine in the header is not finite; export it again")
    if min(grid.spacing_mm) <= 0 or abs(np.linalg.det(grid.affine[:3, :3] / grid.spacing_mm)) < 1e-3:
        raise ImageError(
            f"{path}: the header places all voxels in a plane (voxel size {by(grid.spacing_mm)} mm); export "
            "it again"
        )
    unit_mm, guessed = _unit_mm(grid, header, path)
    scaled = Grid(grid.shape, np.diag([unit_mm, unit_mm, unit_mm, 1.0]) @ grid.affine, header)
    refuse_no_head(scaled.shape, scaled.spacing_mm, path)
    return scaled, (*guessed, *faults_of(header, scaled.shape, unit_mm))


def _unit_mm(grid: Grid, header: nib.Nifti1Header, path: Path) -> tuple[float, tuple[Remark, ...]]:
    """Length of the header's unit, and a remark where only the size of a head tells which it is."""
    code, sizes = int(header["xyzt_units"]) & 7, np.array(grid.spacing_mm)
    if code in _UNITS_MM:
        unit, unit_mm = _UNITS_MM[code]
        low, high = _PLAUSIBLE_MM
        if not low <= sizes.min() * unit_mm <= sizes.max() * unit_mm <= high:
            raise ImageError(
                f"{path}: the header says that voxels are {by(grid.spacing_mm)} {unit}, which is no scan of "
                "a head; if these are mm, set xyzt_units in the header to 2"
            )
        return unit_mm, ()
    if code != _UNKNOWN_UNIT or _is_head(grid.shape, sizes):
        return 1.0, ()
    for unit, unit_mm in _UNITS_MM.values():
        if _is_head(grid.shape, sizes * unit_mm, _LEAST_FIELD_MM):
            said = f"the header says that voxels are {by(grid.spacing_mm)} without a unit (xyzt_units 0)"
            taken = f"they were taken as {unit}, as only so it can be a head"
            return unit_mm, (Remark(f"{said}; {taken}; set xyzt_units, or correct the voxel size"),)
    return 1.0, ()


def _is_head(shape: Sequence[int], sizes_mm: NDArray[np.float64], least_mm: float = 0.0) -> bool:
    low, high = SIDE_OF_VOXEL_MM
    field_mm = float((np.array(shape) * sizes_mm).max())
    return low <= sizes_mm.min() and sizes_mm.max() <= high and least_mm <= field_mm <= MOST_FIELD_MM


def _without_nan(data: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[Remark, ...]]:
    """The voxels (X, Y, Z) with 0 in place of NaN where that is background alone; else the same."""
    broken = np.isnan(data)
    if not broken.any() or np.isinf(data).any() or not is_background(broken, data):
        return data, ()
    said = f"{int(broken.sum())} of {data.size} voxels are NaN, all of them outside the head, and count as 0"
    return np.where(broken, np.float32(0), data), (Remark(said, doubts_header=False),)


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
