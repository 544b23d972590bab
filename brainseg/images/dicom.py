"""A DICOM series as one volume: places from the headers, pixels through SimpleITK.

The voxels are stored as dcm2niix stores them, so that its files and ours lie voxel on voxel: columns first,
rows from the bottom up, slices along the normal of the image plane (row x column).

What a regular grid cannot say is refused by name: slices missing or doubled, planes that differ. Sheared ones
are resampled where that was asked for.
"""

# mypy: allow-untyped-calls
# (nibabel and SimpleITK are partly untyped)

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.dicom_pixels import refuse_wrong_pixels
from brainseg.images.dicom_plain import plain_files
from brainseg.images.dicom_planes import ImagePlane, affine_of, arranged, is_tilted
from brainseg.images.dicom_tilt import straightened
from brainseg.images.nifti import refuse_useless
from brainseg.images.size_limits import by
from brainseg.images.volume import Grid, Volume


@dataclass(frozen=True)
class Series:
    """The files of one series, and what a person knows it by.

    Attributes:
        files: One for each slice, in any order; or enhanced ones, of many slices each.
        description: `SeriesDescription`, or else `ProtocolName`, and which part of the series it is;
            printable, perhaps empty.
        number: `SeriesNumber`, where there is one.
        frames: Those of enhanced files that belong to it, where others do not; none: all.
    """

    files: tuple[Path, ...]
    description: str = ""
    number: int | None = None
    frames: frozenset[tuple[Path, int]] = frozenset()

    @property
    def folder(self) -> Path:
        """The deepest one that holds all files."""
        parents = {path.absolute().parent for path in self.files}
        first = next(iter(parents))
        return next(one for one in (first, *first.parents) if all(p.is_relative_to(one) for p in parents))

    @property
    def label(self) -> str:
        """E.g. "series 5 't1_mprage_sag'"."""
        number = "series" if self.number is None else f"series {self.number}"
        return f"{number} '{self.description}'"

    def __str__(self) -> str:
        return f"{self.folder}: {self.label}"


def read(series: Series, *, upright: bool = False) -> Volume:
    """One series, float32 (1, X, Y, Z), rescale slope and intercept of each slice applied.

    X runs along the rows, Y along the columns from the last row to the first, Z along the normal. The grid's
    header says "scanner" coordinates in mm, and the smallest of int16, uint16 and float32 that holds the
    values.

    Args:
        series: From `dicom_series.find_studies`.
        upright: Whether slices that a tilted gantry shifted sideways are resampled one behind the other.

    Raises:
        ImageError: A file is missing, damaged, no greyscale slice, or does not say where it lies.
        TiltError: The slices are shifted sideways, and `upright` is not set.
        GeometryError: The slices do not make a regular grid.
    """
    planes = arranged(series.files, series, series.frames, upright=upright)
    for plane in {plane.path: plane for plane in planes}.values():
        refuse_wrong_pixels(plane.path, plane.n_rows, plane.n_columns, plane.n_frames)
    with TemporaryDirectory() as folder:
        data_ZYX = _pixels(planes, plain_files(planes, Path(folder)))
    if upright and is_tilted(planes):
        planes, data_ZYX = straightened(planes, data_ZYX)
    data = np.ascontiguousarray(data_ZYX[:, ::-1].transpose(2, 1, 0))
    refuse_useless(data, series)
    return Volume(data[None], _grid(planes, data))


def _grid(planes: list[ImagePlane], data_XYZ: NDArray[np.float32]) -> Grid:
    affine = affine_of(planes)
    header = nib.Nifti1Header()
    header.set_data_shape(data_XYZ.shape)
    header.set_data_dtype(_stored_dtype(data_XYZ))
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner")
    header.set_xyzt_units("mm")
    x, y, z = data_XYZ.shape
    return Grid((x, y, z), header.get_best_affine(), header)


def _stored_dtype(data: NDArray[np.float32]) -> type[np.generic]:
    if not np.array_equal(data, np.rint(data)):
        return np.float32
    fits = (kind for kind in (np.int16, np.uint16) if _within(data, np.iinfo(kind)))
    return next(fits, np.float32)


def _within(data: NDArray[np.float32], kind: Any) -> bool:
    return bool(kind.min <= data.min() and data.max() <= kind.max)


def _pixels(planes: list[ImagePlane], files: list[Path]) -> NDArray[np.float32]:
    """(slices, rows, columns), rescaled, from a file of one slice for each plane."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    # Else the type of the first slice is that of all, and what the slopes of others give is cut to integers.
    reader.SetOutputPixelType(sitk.sitkFloat32)
    reader.SetFileNames([str(path) for path in files])
    loud = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # of spacing, which was judged from the headers
    try:
        pixels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise _pixel_fault(planes, files, error) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(loud)
    wanted = (len(planes), planes[0].n_rows, planes[0].n_columns)
    if pixels.shape != wanted:
        raise ImageError(
            f"{planes[0].path.parent}: its slices hold {by(pixels.shape)} pixels, where their headers say "
            f"{by(wanted)}; fetch them again"
        )
    return np.asarray(pixels, dtype=np.float32)


def _pixel_fault(planes: list[ImagePlane], files: list[Path], error: RuntimeError) -> ImageError:
    """Which slice it was, found by reading each alone."""
    import SimpleITK as sitk

    for plane, file in zip(planes, files, strict=True):
        try:
            sitk.ReadImage(str(file))
        except RuntimeError:
            size = plane.path.stat().st_size if plane.path.exists() else 0
            return ImageError(
                f"{plane.path}: its pixels cannot be read ({size} bytes), probably cut off in a copy, or "
                "compressed in a way that GDCM does not know; fetch it again, or convert the series with "
                "dcm2niix"
            )
    said = str(error).strip().splitlines()[-1]
    return ImageError(
        f"{planes[0].path.parent}: its slices cannot be read together ({said}); export them again"
    )
