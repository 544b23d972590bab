"""A DICOM series as one volume: places from the headers, pixels through SimpleITK.

The voxels are stored as dcm2niix stores them, so that its files and ours lie voxel on voxel: columns first,
rows from the bottom up, slices along the normal of the image plane (row x column). DICOM's world is
left-posterior-superior, ours right-anterior-superior.

What a regular grid cannot say is refused by name: slices missing, doubled or sheared, planes that differ.
"""

# mypy: allow-untyped-calls
# (nibabel and SimpleITK are partly untyped)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError, ImageError
from brainseg.images.dicom_pixels import quietly, refuse_wrong_pixels
from brainseg.images.limits import by, refuse_no_head, refuse_too_many
from brainseg.images.nifti import refuse_useless
from brainseg.images.volume import Grid, Volume

_GEOMETRY = (
    *("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"),
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("SOPInstanceUID", "EchoTime"),
)
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
# Headers give positions and cosines as decimal text, often rounded to some digits.
_COSINE_TOLERANCE = 1e-3
_STEP_TOLERANCE = 0.05  # of the distance between slices
_NUMBERS = {"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL"}  # DICOM's types of them
_OFF_GRID_MM = 0.25  # between a slice and its place on the regular grid, along the normal or sideways
_SAME_PLACE_MM = 0.01
_MOST_BYTES = 2**30  # that a packed file may unpack to
_DEFLATES_AT_MOST = 1032  # times, by the format: 258 bytes for each 2 bits


@dataclass(frozen=True)
class Series:
    """The files of one series, and what a person knows it by.

    Attributes:
        files: One for each slice, in any order.
        description: `SeriesDescription`, or else `ProtocolName`; printable, perhaps empty.
        number: `SeriesNumber`, where there is one.
    """

    files: tuple[Path, ...]
    description: str = ""
    number: int | None = None

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


@dataclass(frozen=True)
class _Plane:
    """Where one slice lies, in DICOM's world: mm, left-posterior-superior.

    Attributes:
        along_row: (3,), direction in which the column index grows.
        along_column: (3,), direction in which the row index grows.
        spacing_mm: Between rows and between columns, in this order.
        position_mm: (3,), the centre of the first pixel.
    """

    path: Path
    n_rows: int
    n_columns: int
    along_row: NDArray[np.float64]
    along_column: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    position_mm: NDArray[np.float64]
    uid: str
    echo_ms: float | None

    @property
    def normal(self) -> NDArray[np.float64]:
        across = np.cross(self.along_row, self.along_column)
        return np.asarray(across / np.linalg.norm(across), dtype=np.float64)


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


def read(series: Series) -> Volume:
    """One series, float32 (1, X, Y, Z), rescale slope and intercept of each slice applied.

    X runs along the rows, Y along the columns from the last row to the first, Z along the normal. The grid's
    header says "scanner" coordinates in mm, and the smallest of int16, uint16 and float32 that holds the
    values.

    Raises:
        ImageError: A file is missing, damaged, no greyscale slice, or does not say where it lies.
        GeometryError: The slices do not make a regular grid.
    """
    if len(series.files) < 2:
        raise ImageError(f"{series}: has only {len(series.files)} slice; give the folder of a whole series")
    planes = [_plane_of(path) for path in series.files]
    normal = planes[0].normal
    planes.sort(key=lambda plane: float(plane.position_mm @ normal))
    _refuse_mixed(planes, series)
    _refuse_irregular(planes, series)
    _refuse_large(planes, series)
    for plane in planes:
        refuse_wrong_pixels(plane.path, plane.n_rows, plane.n_columns)
    data_ZYX = _pixels(planes)
    data = np.ascontiguousarray(data_ZYX[:, ::-1].transpose(2, 1, 0))
    refuse_useless(data, series)
    return Volume(data[None], _grid(planes, data))


def _affine(planes: list[_Plane]) -> NDArray[np.float64]:
    """(4, 4), voxel index to world coordinates in mm, right-anterior-superior positive."""
    first, last = planes[0], planes[-1]
    between_rows, between_columns = first.spacing_mm
    step_mm = float((last.position_mm - first.position_mm) @ first.normal) / (len(planes) - 1)
    down = first.along_column * between_rows
    affine = np.eye(4)
    affine[:3, 0] = _LPS_TO_RAS @ (first.along_row * between_columns)
    affine[:3, 1] = _LPS_TO_RAS @ -down
    affine[:3, 2] = _LPS_TO_RAS @ (first.normal * step_mm)
    affine[:3, 3] = _LPS_TO_RAS @ (first.position_mm + down * (first.n_rows - 1))
    return affine


def _grid(planes: list[_Plane], data_XYZ: NDArray[np.float32]) -> Grid:
    affine = _affine(planes)
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


def _pixels(planes: list[_Plane]) -> NDArray[np.float32]:
    """(slices, rows, columns), rescaled."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    # Else the type of the first slice is that of all, and what the slopes of others give is cut to integers.
    reader.SetOutputPixelType(sitk.sitkFloat32)
    reader.SetFileNames([str(plane.path) for plane in planes])
    loud = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # of spacing, which was judged from the headers
    try:
        pixels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise _pixel_fault(planes, error) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(loud)
    wanted = (len(planes), planes[0].n_rows, planes[0].n_columns)
    if pixels.shape != wanted:
        raise ImageError(
            f"{planes[0].path.parent}: its slices hold {by(pixels.shape)} pixels, where their headers say "
            f"{by(wanted)}; fetch them again"
        )
    return np.asarray(pixels, dtype=np.float32)


def _pixel_fault(planes: list[_Plane], error: RuntimeError) -> ImageError:
    """Which slice it was, found by reading each alone."""
    import SimpleITK as sitk

    for plane in planes:
        try:
            sitk.ReadImage(str(plane.path))
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


def _plane_of(path: Path) -> _Plane:
    if not path.is_file():
        raise ImageError(f"{path}: no such file; it was there when the folder was searched")
    header = read_header(path, _GEOMETRY)
    orientation = _numbers(header, "ImageOrientationPatient", 6, path)
    position = _numbers(header, "ImagePositionPatient", 3, path)
    between_rows, between_columns = _numbers(header, "PixelSpacing", 2, path)
    n_rows, n_columns = (int(_numbers(header, name, 1, path)[0]) for name in ("Rows", "Columns"))
    kind = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    if header.get("SamplesPerPixel", 1) != 1 or kind != "MONOCHROME2":
        raise ImageError(
            f"{path}: pixels are {kind}, where greyscale (MONOCHROME2) is needed; export it anew"
        )
    if (frames := frames_of(header)) > 1:
        raise ImageError(f"{path}: holds {frames:g} frames; convert multi-frame DICOM with dcm2niix first")
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = np.array(
        [np.linalg.norm(along_row), np.linalg.norm(along_column), 1 + along_row @ along_column]
    )
    if np.abs(lengths - 1).max() > _COSINE_TOLERANCE or min(between_rows, between_columns) <= 0:
        raise GeometryError(
            f"{path}: ImageOrientationPatient {_listed(orientation)} with PixelSpacing "
            f"{between_rows:g} x {between_columns:g} mm is no image plane; export it again"
        )
    echo = header.get("EchoTime")
    return _Plane(
        path=path,
        n_rows=n_rows,
        n_columns=n_columns,
        along_row=along_row,
        along_column=along_column,
        spacing_mm=(float(between_rows), float(between_columns)),
        position_mm=position,
        uid=str(header.get("SOPInstanceUID", "")),
        echo_ms=float(echo) if isinstance(echo, int | float) else None,
    )


def frames_of(header: Mapping[str, Any]) -> float:
    """How many pictures a file holds, by its header."""
    return float(np.max(header.get("NumberOfFrames", 1)))


def _numbers(header: dict[str, Any], keyword: str, count: int, path: Path) -> NDArray[np.float64]:
    try:
        numbers = np.atleast_1d(np.asarray(header[keyword], dtype=np.float64))
    except (KeyError, ValueError, TypeError) as error:
        raise ImageError(
            f"{path}: its header has no usable {keyword}, so nobody knows where the slice lies; "
            "export the series again from the scanner or the PACS"
        ) from error
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ImageError(f"{path}: {keyword} is {_listed(numbers)}, where {count} numbers are needed")
    return numbers


def _refuse_mixed(planes: list[_Plane], series: Series) -> None:
    first = planes[0]
    for plane in planes:
        both = f"in {first.path.name} and {{}} in {plane.path.name}"
        if (plane.n_rows, plane.n_columns) != (first.n_rows, first.n_columns):
            sizes = [f"{one.n_rows} rows x {one.n_columns} columns" for one in (first, plane)]
            raise _mixed(series, f"{sizes[0]} {both.format(sizes[1])}")
        turned = np.abs(
            np.r_[plane.along_row, plane.along_column] - np.r_[first.along_row, first.along_column]
        )
        if turned.max() > _COSINE_TOLERANCE:
            turns = [_listed(np.r_[one.along_row, one.along_column]) for one in (first, plane)]
            raise _mixed(series, f"ImageOrientationPatient is {turns[0]} {both.format(turns[1])}")
        if not np.allclose(plane.spacing_mm, first.spacing_mm, rtol=1e-3):
            spacings = [f"{one.spacing_mm[0]:g} x {one.spacing_mm[1]:g} mm" for one in (first, plane)]
            raise _mixed(series, f"PixelSpacing is {spacings[0]} {both.format(spacings[1])}")


def _mixed(series: Series, what: str) -> GeometryError:
    return GeometryError(
        f"{series} holds slices that do not make one volume: {what}; move those of one kind to another folder"
    )


def _refuse_large(planes: list[_Plane], series: Series) -> None:
    first = planes[0]
    shape = (first.n_columns, first.n_rows, len(planes))
    if min(shape) < 1:
        raise ImageError(f"{series}: its headers say {by(shape)} pixels; export it again")
    refuse_too_many(shape, f"{series}: its headers claim", "export it again")
    grid = Grid(shape, _affine(planes))
    refuse_no_head(grid.shape, grid.spacing_mm, series)


def _refuse_irregular(planes: list[_Plane], series: Series) -> None:
    """Planes in order along the normal must lie behind one another at one distance."""
    normal = planes[0].normal
    places = np.array([plane.position_mm for plane in planes])
    gaps = np.diff(places @ normal)
    doubled = np.flatnonzero(gaps < _SAME_PLACE_MM)
    if doubled.size:
        raise _doubled(planes, int(doubled[0]), len(doubled), series)
    step = float(np.median(gaps))
    off_step = np.abs(gaps - step)
    drift = np.abs(np.r_[0, gaps.cumsum()] - np.linspace(0, gaps.sum(), len(planes)))
    if off_step.max() > _STEP_TOLERANCE * step or drift.max() > _OFF_GRID_MM:
        raise _uneven(planes, gaps, step, int(off_step.argmax()), series)
    sideways = (places - places[0]) - np.outer((places - places[0]) @ normal, normal)
    shift, length = np.linalg.norm(sideways, axis=1), float(gaps.sum())
    if shift.max() > _OFF_GRID_MM:
        degrees = np.degrees(np.arctan2(shift.max(), length))
        raise GeometryError(
            f"{series} is sheared: its slices are shifted sideways by up to {shift.max():.3g} mm over "
            f"{length:.4g} mm (gantry tilt of {degrees:.1f} degrees); resample it upright, as dcm2niix does, "
            "and give the NIfTI file"
        )


def _doubled(planes: list[_Plane], k: int, n: int, series: Series) -> GeometryError:
    one, other = planes[k], planes[k + 1]
    why = "several echoes, time points or phases in one series; move all but one away"
    if one.uid and one.uid == other.uid:
        why = "the same image twice; move the copies away"
    elif None not in (one.echo_ms, other.echo_ms) and one.echo_ms != other.echo_ms:
        why = f"echoes of {one.echo_ms:g} and {other.echo_ms:g} ms in one series; move all but one echo away"
    return GeometryError(
        f"{series} has {n} of {len(planes)} slices at the place of another, first {one.path.name} and "
        f"{other.path.name} at {_listed(one.position_mm)} mm: {why}"
    )


def _uneven(
    planes: list[_Plane], gaps: NDArray[np.float64], step: float, k: int, series: Series
) -> GeometryError:
    missing = round(gaps[k] / step) - 1
    is_hole = missing > 0 and abs(gaps[k] - (missing + 1) * step) <= _STEP_TOLERANCE * step
    what = f"{missing} missing there" if is_hole else "the distances are uneven"
    return GeometryError(
        f"{series}: {planes[k].path.name} and {planes[k + 1].path.name} lie {gaps[k]:.4g} mm apart, other "
        f"slices {step:.4g} mm: {what}; export the whole series again ({len(planes)} slices are here)"
    )


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


def _listed(numbers: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{number:.6g}" for number in np.atleast_1d(numbers)) + ")"
