"""Where the voxels of a scan are stored, in whatever format, and the one function that reads them."""

from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import ImageError
from brainseg.images import dicom, lgg, nifti
from brainseg.images.volume import Volume


@dataclass(frozen=True)
class Source:
    """A NIfTI file, and which volume of it if it has several; a DICOM series; or a colour of pictures.

    Attributes:
        path: The file, or the folder that holds the series or the pictures.
        channel: Which volume of a four-dimensional file, or which colour of pictures, from 0.
        series: The slices, where `path` is a folder.
        pictures: A picture of each slice from the lowest up, as the Kaggle LGG set has them.
    """

    path: Path
    channel: int | None = None
    series: dicom.Series | None = None
    pictures: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        if self.series is not None:
            return self.series.files
        return self.pictures or nifti.files_of(self.path)

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
    elif source.pictures:
        volume = lgg.read_colour(source.pictures, source.channel or 0)
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
