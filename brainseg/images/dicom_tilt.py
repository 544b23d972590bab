"""Slices that a tilted gantry shifted sideways, brought one behind the other.

Each slice is moved within its own plane by linear interpolation, by as much as its position is off the normal
through the first one. Nothing is cut off: the picture grows by the largest shift.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.images.dicom_planes import ImagePlane, sideways_mm


def straightened(
    planes: list[ImagePlane], data_ZYX: NDArray[np.float32]
) -> tuple[list[ImagePlane], NDArray[np.float32]]:
    """The planes upright, and their voxels (slices, rows, columns); 0 where nothing was scanned."""
    first = planes[0]
    shifts = sideways_mm(planes)
    along = np.stack([first.along_column, first.along_row])
    offsets = (shifts @ along.T) / first.spacing_mm  # (slices, 2): in rows and columns
    start = np.floor(offsets.min(axis=0))
    n_rows, n_columns = (np.ceil(offsets.max(axis=0) - start) + data_ZYX.shape[1:]).astype(int)
    upright = np.zeros((len(planes), n_rows, n_columns), np.float32)
    for picture, out, offset in zip(data_ZYX, upright, offsets, strict=True):
        ndimage.affine_transform(
            picture,
            np.ones(2),
            start - offset,
            output_shape=out.shape,
            output=out,
            order=1,
            mode="grid-constant",
        )
    corner = along.T @ (start * first.spacing_mm)
    moved = [
        replace(
            plane,
            n_rows=int(n_rows),
            n_columns=int(n_columns),
            position_mm=plane.position_mm - shift + corner,
        )
        for plane, shift in zip(planes, shifts, strict=True)
    ]
    return moved, upright
