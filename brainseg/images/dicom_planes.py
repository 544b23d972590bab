"""Where the slices of a DICOM series lie, and whether they make one regular grid.

DICOM's world is left-posterior-superior, ours right-anterior-superior.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError, ImageError
from brainseg.images.dicom_frames import FRAME
from brainseg.images.dicom_header import frames_of, listed, numbers_of, read_headers
from brainseg.images.size_limits import by, refuse_no_head, refuse_too_many
from brainseg.images.volume import Grid

_GEOMETRY = (
    *("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"),
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("SOPInstanceUID", "EchoTime", "RescaleSlope", "RescaleIntercept"),
)
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
# Headers give positions and cosines as decimal text, often rounded to some digits.
_COSINE_TOLERANCE = 1e-3
_STEP_TOLERANCE = 0.05  # of the distance between slices
_OFF_GRID_MM = 0.25  # between a slice and its place on the regular grid, along the normal or sideways
_SAME_PLACE_MM = 0.01


class TiltError(GeometryError):
    """The slices are shifted sideways, one more than the other.

    Attributes:
        degrees: The tilt of the gantry.
    """

    def __init__(self, message: str, degrees: float) -> None:
        super().__init__(message)
        self.degrees = degrees


@dataclass(frozen=True)
class ImagePlane:
    """Where one slice lies, in mm in DICOM's world, as its Image Plane Module says.

    Attributes:
        along_row: (3,), direction in which the column index grows.
        along_column: (3,), direction in which the row index grows.
        spacing_mm: Between rows and between columns, in this order.
        position_mm: (3,), the centre of the first pixel.
        frame: Its number in a file of several frames, from 0.
        n_frames: Of the file.
        slope: What stored values are multiplied by, before `intercept` is added.
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
    frame: int | None = None
    n_frames: int = 1
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def normal(self) -> NDArray[np.float64]:
        across = np.cross(self.along_row, self.along_column)
        return np.asarray(across / np.linalg.norm(across), dtype=np.float64)


def arranged(
    files: Sequence[Path], series: object, frames: Collection[tuple[Path, int]] = (), *, upright: bool = False
) -> list[ImagePlane]:
    """The planes of a series in order along their normal.

    Args:
        files: One for each slice, or with several frames each, in any order.
        series: What messages begin with.
        frames: Those that belong to the series, of enhanced files; none: all.
        upright: Slices that a tilted gantry shifted sideways are taken too.

    Raises:
        ImageError: A file is missing, is no greyscale slice, or does not say where it lies; or there is one
            slice alone, or the volume would be larger than any scan of a head.
        TiltError: The slices are shifted sideways, and `upright` is not set.
        GeometryError: The slices do not make a regular grid.
    """
    planes = [plane for path in files for plane in _planes_of(path, frames)]
    if len(planes) < 2:
        raise ImageError(f"{series}: has only {len(planes)} slice; give the folder of a whole series")
    normal = planes[0].normal
    planes.sort(key=lambda plane: float(plane.position_mm @ normal))
    _refuse_mixed(planes, series)
    _refuse_irregular(planes, series)
    if not upright:
        _refuse_tilted(planes, series)
    _refuse_large(planes, series)
    return planes


def is_tilted(planes: list[ImagePlane]) -> bool:
    return float(np.linalg.norm(sideways_mm(planes), axis=1).max()) > _OFF_GRID_MM


def sideways_mm(planes: list[ImagePlane]) -> NDArray[np.float64]:
    """(slices, 3): how far each lies off the normal through the first one."""
    normal = planes[0].normal
    places = np.array([plane.position_mm for plane in planes]) - planes[0].position_mm
    return np.asarray(places - np.outer(places @ normal, normal), dtype=np.float64)


def affine_of(planes: list[ImagePlane]) -> NDArray[np.float64]:
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


def _planes_of(path: Path, frames: Collection[tuple[Path, int]]) -> list[ImagePlane]:
    if not path.is_file():
        raise ImageError(f"{path}: no such file; it was there when the folder was searched")
    headers = read_headers(path, _GEOMETRY)
    wanted = [one for one in headers if not frames or FRAME not in one or (path, one[FRAME]) in frames]
    return [_plane_of(path, header, len(headers)) for header in wanted]


def _plane_of(path: Path, header: dict[str, Any], n_frames: int) -> ImagePlane:
    orientation = numbers_of(header, "ImageOrientationPatient", 6, path)
    position = numbers_of(header, "ImagePositionPatient", 3, path)
    between_rows, between_columns = numbers_of(header, "PixelSpacing", 2, path)
    n_rows, n_columns = (int(numbers_of(header, name, 1, path)[0]) for name in ("Rows", "Columns"))
    kind = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    if header.get("SamplesPerPixel", 1) != 1 or kind != "MONOCHROME2":
        raise ImageError(
            f"{path}: pixels are {kind}, where greyscale (MONOCHROME2) is needed; export it anew"
        )
    if FRAME not in header and (frames := frames_of(header)) > 1:
        raise ImageError(
            f"{path}: holds {frames:g} frames and does not say where each lies; export it as enhanced MR or "
            "as files of one slice"
        )
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = np.array(
        [np.linalg.norm(along_row), np.linalg.norm(along_column), 1 + along_row @ along_column]
    )
    if np.abs(lengths - 1).max() > _COSINE_TOLERANCE or min(between_rows, between_columns) <= 0:
        raise GeometryError(
            f"{path}: ImageOrientationPatient {listed(orientation)} with PixelSpacing "
            f"{between_rows:g} x {between_columns:g} mm is no image plane; export it again"
        )
    echo = header.get("EchoTime")
    return ImagePlane(
        path=path,
        n_rows=n_rows,
        n_columns=n_columns,
        along_row=along_row,
        along_column=along_column,
        spacing_mm=(float(between_rows), float(between_columns)),
        position_mm=position,
        uid=str(header.get("SOPInstanceUID", "")),
        echo_ms=float(echo) if isinstance(echo, int | float) else None,
        frame=header.get(FRAME),
        n_frames=n_frames,
        slope=_number(header, "RescaleSlope", 1.0),
        intercept=_number(header, "RescaleIntercept", 0.0),
    )


def _number(header: dict[str, Any], keyword: str, absent: float) -> float:
    value = header.get(keyword)
    return float(value) if isinstance(value, int | float) else absent


def _refuse_mixed(planes: list[ImagePlane], series: object) -> None:
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
            turns = [listed(np.r_[one.along_row, one.along_column]) for one in (first, plane)]
            raise _mixed(series, f"ImageOrientationPatient is {turns[0]} {both.format(turns[1])}")
        if not np.allclose(plane.spacing_mm, first.spacing_mm, rtol=1e-3):
            spacings = [f"{one.spacing_mm[0]:g} x {one.spacing_mm[1]:g} mm" for one in (first, plane)]
            raise _mixed(series, f"PixelSpacing is {spacings[0]} {both.format(spacings[1])}")


def _mixed(series: object, what: str) -> GeometryError:
    return GeometryError(
        f"{series} holds slices that do not make one volume: {what}; move those of one kind to another folder"
    )


def _refuse_large(planes: list[ImagePlane], series: object) -> None:
    first = planes[0]
    shape = (first.n_columns, first.n_rows, len(planes))
    if min(shape) < 1:
        raise ImageError(f"{series}: its headers say {by(shape)} pixels; export it again")
    refuse_too_many(shape, f"{series}: its headers claim", "export it again")
    grid = Grid(shape, affine_of(planes))
    refuse_no_head(grid.shape, grid.spacing_mm, series)


def _refuse_irregular(planes: list[ImagePlane], series: object) -> None:
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


def _refuse_tilted(planes: list[ImagePlane], series: object) -> None:
    if not is_tilted(planes):
        return
    shift = float(np.linalg.norm(sideways_mm(planes), axis=1).max())
    length = float((planes[-1].position_mm - planes[0].position_mm) @ planes[0].normal)
    degrees = float(np.degrees(np.arctan2(shift, length)))
    raise TiltError(
        f"{series} is sheared: its slices are shifted sideways by up to {shift:.3g} mm over {length:.4g} mm "
        f"(gantry tilt of {degrees:.1f} degrees); set pipeline.align=resample to have it resampled upright, "
        "or give the NIfTI file that dcm2niix makes of it",
        degrees,
    )


def _doubled(planes: list[ImagePlane], k: int, n: int, series: object) -> GeometryError:
    one, other = planes[k], planes[k + 1]
    why = "several echoes, time points or phases in one series; move all but one away"
    if one.uid and one.uid == other.uid:
        why = "the same image twice; move the copies away"
    elif None not in (one.echo_ms, other.echo_ms) and one.echo_ms != other.echo_ms:
        why = f"echoes of {one.echo_ms:g} and {other.echo_ms:g} ms in one series; move all but one echo away"
    return GeometryError(
        f"{series} has {n} of {len(planes)} slices at the place of another, first {one.path.name} and "
        f"{other.path.name} at {listed(one.position_mm)} mm: {why}"
    )


def _uneven(
    planes: list[ImagePlane], gaps: NDArray[np.float64], step: float, k: int, series: object
) -> GeometryError:
    missing = round(gaps[k] / step) - 1
    is_hole = missing > 0 and abs(gaps[k] - (missing + 1) * step) <= _STEP_TOLERANCE * step
    what = f"{missing} missing there" if is_hole else "the distances are uneven"
    return GeometryError(
        f"{series}: {planes[k].path.name} and {planes[k + 1].path.name} lie {gaps[k]:.4g} mm apart, other "
        f"slices {step:.4g} mm: {what}; export the whole series again ({len(planes)} slices are here)"
    )
