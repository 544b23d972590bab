"""The sizes that a scan of a head can have.

A header that claims others is refused before any memory is taken.
"""

import math
from collections.abc import Sequence

from brainseg.config.errors import GeometryError, ImageError

MOST_VOXELS = 2**29  # 1024 x 1024 x 512: 2 GiB as float32
MOST_SIDE = 2048  # voxels along an axis; interpolation makes a matrix of the square of this
SIDE_OF_VOXEL_MM = (0.05, 100.0)
MOST_FIELD_MM = 600.0  # along an axis; the bore of a scanner is about as wide


def refuse_too_many(shape: Sequence[float], what: object, mend: str) -> None:
    """Refuse a grid that would not fit in memory.

    Args:
        shape: Voxels along each axis; they need not be whole numbers yet.
        what: What the message begins with, e.g. the path of the file that claims it.
        mend: What the message ends with.

    Raises:
        ImageError: An axis is too long, or there are too many voxels.
    """
    if max(shape) <= MOST_SIDE and math.prod(shape) <= MOST_VOXELS:  # a NaN is refused too
        return
    raise ImageError(
        f"{what} {by(shape)} voxels, more than any scan of a head has (at most {MOST_SIDE} along an axis and "
        f"{MOST_VOXELS / 1e6:.0f} million in all); {mend}"
    )


def refuse_no_head(shape: Sequence[int], spacing_mm: Sequence[float], where: object) -> None:
    """Refuse voxels, or a field of view, of a size that no scan of a head has.

    Raises:
        GeometryError: A voxel is too small or too large, or the field of view is too wide.
    """
    low, high = SIDE_OF_VOXEL_MM
    sizes = by(spacing_mm)
    if not all(low <= side <= high for side in spacing_mm):
        raise GeometryError(
            f"{where}: the header says that voxels are {sizes} mm, where those of a head have "
            f"{low:g} to {high:g} mm; correct the voxel size in the header, or export it again"
        )
    field_mm = [n * side for n, side in zip(shape, spacing_mm, strict=True)]
    if max(field_mm) > MOST_FIELD_MM:
        raise GeometryError(
            f"{where}: the header says that {by(shape)} voxels of {sizes} mm were scanned, a field of view "
            f"of {by(field_mm)} mm, where a scanner has {MOST_FIELD_MM:g} mm at most; correct the voxel size "
            "in the header, or export it again"
        )


def by(numbers: Sequence[float]) -> str:
    """E.g. "240 x 240 x 155"."""
    return " x ".join(str(n) if isinstance(n, int) else f"{n:.6g}" for n in numbers)
