"""The box of a mask, and the mask with a margin around it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Box = tuple[slice, slice, slice]


def box_of(mask: NDArray[np.bool_], margin: Sequence[int] = (0, 0, 0)) -> Box:
    """The box of a mask's True voxels (X, Y, Z), wider by a margin in voxels; the whole if there are none."""
    sides = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(used):
            return slice(None), slice(None), slice(None)
        sides.append(slice(max(int(used[0]) - margin[axis], 0), int(used[-1]) + margin[axis] + 1))
    return sides[0], sides[1], sides[2]


def with_margin(mask: NDArray[Any], margin_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """The mask (X, Y, Z) and all voxels whose centre lies within `margin_mm` of one of its centres."""
    grown = mask.astype(bool)
    if margin_mm <= 0 or not grown.any():
        return grown
    near = grown[box_of(grown, [int(np.ceil(margin_mm / spacing)) for spacing in spacing_mm])]
    near |= ndimage.distance_transform_edt(~near, sampling=spacing_mm) <= margin_mm * (1 + 1e-6)
    return grown
