"""What counts as bright in a scan: a head, or tissue in it, is brighter than the air around."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TISSUE_ABOVE = 0.1  # share of the 98th percentile (Smith, "BET", Human Brain Mapping 2002, 2.1)


def tissue_of(image: NDArray[Any], *, sparsely: bool = False) -> NDArray[np.bool_]:
    """Where an image of any shape is brighter than `TISSUE_ABOVE` of its 98th percentile.

    Args:
        image: Its air is near 0.
        sparsely: Take the percentile of 64 to 127 voxels along each axis, which is enough in a volume.
    """
    every = tuple(slice(None, None, max(1, n // 64) if sparsely else 1) for n in image.shape)
    return np.asarray(image > TISSUE_ABOVE * np.percentile(image[every], 98))


def brighter_than_mean(image: NDArray[Any]) -> NDArray[Any]:
    """The values above the mean, (n,): most of a head, and no air."""
    return np.asarray(image[image > image.mean(dtype=np.float64)])
