"""Where the voxels of a scan are stored, in whatever format, and the one function that reads them."""

from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import ImageError
from brainseg.images import dicom, nifti
from brainseg.images.volume import Volume


@dataclass(frozen=True)
class Source:
    """A NIfTI file, and which volume of it if it is four-dimensional; or a DICOM series.

    Attributes:
        path: The file, or the folder that holds the series.
        channel: Which volume of a four-dimensional file, from 0.
        series: The slices, where `path` is a folder.
    """

    path: Path
    channel: int | None = None
    series: dicom.Series | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        return nifti.files_of(self.path) if self.series is None else self.series.files

    def __str__(self) -> str:
        return str(self.path if self.series is None else self.series)


def read(source: Source, *, upright: bool = False) -> Volume:
    """One scan, float32 (1, X, Y, Z), slope and intercept applied.

    Args:
        source: The file or the series.
        upright: Whether a series from a tilted gantry is resampled upright.

    Raises:
        TiltError: It is from a tilted gantry, and `upright` is not set.
        ImageError: A file is missing, damaged, not one volume, or a mask.
        GeometryError: The slices of a series do not make a regular grid.
    """
    if source.series is not None:
        volume = dicom.read(source.series, upright=upright)
    else:
        volume = nifti.read(source.path, source.channel)
    _refuse_mask(volume, source)
    return volume


def _refuse_mask(volume: Volume, source: Source) -> None:
    """Refuse voxels of two values, of which no scan consists."""
    low, high = volume.data.min(), volume.data.max()
    if ((volume.data == low) | (volume.data == high)).all():
        raise ImageError(
            f"{source}: holds the values {low:g} and {high:g} alone, so it is a mask and no scan; rename it, "
            "e.g. to end with _brainmask or _seg, or move it away"
        )
