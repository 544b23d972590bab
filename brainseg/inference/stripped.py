"""Whether a scan was skull-stripped before it came."""

import numpy as np
from numpy.typing import NDArray

from brainseg.images.volume import Volume
from brainseg.inference.cleaning import fill_holes
from brainseg.inference.components import largest_component

# An adult's brain, which is what remains after stripping, has 0.9 to 1.9 l; a whole head has far more.
LARGEST_BRAIN_ML = 2200.0
LARGEST_CUT_ML = 3000.0  # of a brain that was cut out with a margin
LEAST_EMPTY_SHARE = 0.35  # of exactly 0 voxels in a stripped scan's field of view


def brain_if_stripped(volume: Volume, largest_ml: float = LARGEST_BRAIN_ML) -> NDArray[np.bool_] | None:
    """The brain mask of a scan that was skull-stripped before, its non-zero voxels; None for a head.

    A stripped scan is exactly 0 in much of its field of view, and what is left is no larger than a brain.

    Args:
        volume: The scan, of which the first channel is looked at.
        largest_ml: From which what is left is too large for a brain.
    """
    filled = volume.data[0] != 0
    if filled.mean() > 1 - LEAST_EMPTY_SHARE:
        return None
    ml = filled.sum() * volume.grid.voxel_ml
    if ml > largest_ml:
        return None
    return np.asarray(fill_holes(largest_component(filled)), dtype=bool)
