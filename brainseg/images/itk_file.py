"""NRRD and MetaImage files, as 3D Slicer and ITK write them, read by SimpleITK.

ITK's world is left-posterior-superior, ours right-anterior-superior. The sizes that a header claims are
compared with those of a head before the voxels are read.
"""

# mypy: allow-untyped-calls
# (nibabel and SimpleITK are partly untyped)

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.header_faults import UNPLACED
from brainseg.images.size_limits import refuse_no_head, refuse_too_many
from brainseg.images.volume import Grid, Remark

EXTENSIONS = (".nrrd", ".nhdr", ".mha", ".mhd")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_HEADER = 2**16  # bytes
# The line of each format that says how the axes lie, and the one that names the file with the voxels.
_PLACE = re.compile(rb"(?mi)^\s*(space directions\s*:|(TransformMatrix|Orientation|Rotation)\s*=)")
_NRRD_SPACE = re.compile(rb"(?mi)^\s*space\s*:")
_ELSEWHERE = re.compile(rb"(?mi)^\s*(?:data ?file\s*:|ElementDataFile\s*=)\s*(.+?)\s*$")

Read = tuple[NDArray[np.float32], Grid, tuple[Remark, ...]]


def is_itk(path: Path) -> bool:
    """Whether the name says one of these formats; nothing is opened."""
    return path.name.lower().endswith(EXTENSIONS)


def files_of(path: Path) -> tuple[Path, ...]:
    """The file, and the one with its voxels where that is another."""
    try:
        found = _ELSEWHERE.search(_header_of(path))
    except OSError:
        return (path,)
    name = "" if found is None else found[1].decode(errors="replace")
    beside = path.parent / name
    return (path, beside) if name and name.upper() != "LOCAL" and beside.is_file() else (path,)


def read(path: Path, channel: int | None) -> Read:
    """The voxels (X, Y, Z) of one volume, where they lie, and what a person should know of the header.

    Args:
        path: The file with the header.
        channel: Which value of each voxel, where there are several.

    Raises:
        ImageError: The file is missing, damaged, no volume, or has several and no channel was given.
        GeometryError: The voxels are not of a size that a scan of a head has.
    """
    import SimpleITK as sitk

    with _opened(path) as reader:
        sizes = _refuse_unfit(reader, path, channel)
        image = reader.Execute()
    array = sitk.GetArrayFromImage(image)  # (Z, Y, X), with a fourth axis first, and values of a voxel last
    if image.GetNumberOfComponentsPerPixel() > 1:
        array = array[..., channel or 0]
    array = array.reshape(sizes[::-1]).transpose(2, 1, 0)
    grid, remarks = _grid(image, path, sizes, array.dtype)
    return np.ascontiguousarray(array, dtype=np.float32), grid, remarks


def check_header(path: Path) -> None:
    """Read the header alone.

    Raises:
        ImageError: It makes no sense.
    """
    with _opened(path) as reader:
        _refuse_unfit(reader, path, 0)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """ITK's reader of a file, which has read the header; what it raises names the file."""
    if not path.is_file():
        raise ImageError(f"{path}: no such file; check the path")
    import SimpleITK as sitk

    loud = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # its lines do not name the file
    try:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        yield reader
    except RuntimeError as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise ImageError(
            f"{path}: cannot be read ({said}), probably cut off in a copy, or its voxels lie in a file that "
            "is not beside it; fetch it again"
        ) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(loud)


def _refuse_unfit(reader: Any, path: Path, channel: int | None) -> tuple[int, int, int]:
    """The sizes (X, Y, Z) of a file that may be read."""
    sizes, values = reader.GetSize(), reader.GetNumberOfComponents()
    if len(sizes) < 3 or any(n != 1 for n in sizes[3:]):
        raise ImageError(f"{path}: has the shape {tuple(sizes)}, where one volume of three axes is needed")
    if channel is None and values > 1:
        raise ImageError(f"{path}: holds {values} values at each voxel, where one is needed; split the file")
    if channel is not None and not 0 <= channel < values:
        raise ImageError(f"{path}: has no channel {channel}; channels are 0 to {values - 1}")
    refuse_too_many(sizes, f"{path}: the header claims", "export it again")
    x, y, z = (int(n) for n in sizes[:3])
    return x, y, z


def _grid(
    image: Any, path: Path, sizes: tuple[int, int, int], dtype: np.dtype[Any]
) -> tuple[Grid, tuple[Remark, ...]]:
    dimension = image.GetDimension()
    spacing = np.array(image.GetSpacing()[:3])
    header = nib.Nifti1Header()
    header.set_data_shape(sizes)
    header.set_data_dtype(dtype)
    header.set_xyzt_units("mm")
    remarks: tuple[Remark, ...] = ()
    if _is_placed(path):
        affine = np.eye(4)
        directions = np.array(image.GetDirection()).reshape(dimension, dimension)[:3, :3]
        affine[:3, :3] = directions * spacing
        affine[:3, 3] = image.GetOrigin()[:3]
        header.set_sform(_LPS_TO_RAS @ affine, code="scanner")
        header.set_qform(_LPS_TO_RAS @ affine, code="scanner")
    else:
        header.set_zooms(spacing)
        remarks = (Remark(UNPLACED.format("space directions or TransformMatrix is missing")),)
    grid = Grid(sizes, header.get_best_affine(), header)
    refuse_no_head(grid.shape, grid.spacing_mm, path)
    return grid, remarks


def _is_placed(path: Path) -> bool:
    header = _header_of(path)
    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))
    return bool(_PLACE.search(header)) and (not is_nrrd or bool(_NRRD_SPACE.search(header)))


def _header_of(path: Path) -> bytes:
    """The text that the file begins with, up to its voxels."""
    with open(path, "rb") as file:
        start = file.read(_MOST_HEADER)
    local = re.search(rb"(?mi)^ElementDataFile\s*=\s*.*$", start)
    blank = re.search(rb"\r?\n\r?\n", start) if start.startswith(b"NRRD") else None
    end = local.end() if local else blank.start() if blank else len(start)
    return start[:end]
