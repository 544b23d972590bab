"""A mask and what lies near it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def with_margin(mask: NDArray[Any], margin_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """The mask (X, Y, Z) and all voxels whose centre lies within `margin_mm` of one of its centres."""
    grown = mask.astype(bool)
    if margin_mm <= 0 or not grown.any():
        return grown
    box = []
    for axis, spacing in enumerate(spacing_mm):
        reach = int(np.ceil(margin_mm / spacing))
        used = np.flatnonzero(grown.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(int(used[0]) - reach, 0), int(used[-1]) + reach + 1))
    near = grown[tuple(box)]
    near |= ndimage.distance_transform_edt(~near, sampling=spacing_mm) <= margin_mm * (1 + 1e-6)
    return grown
