"""Histogram standardisation: grey values moved so that all scans have the same percentiles.

Nyul and Udupa, "On standardizing the MR image intensity scale", Magnetic Resonance in Medicine 1999. The
original skull stripper takes the same percentiles of all voxels, most of which are air; we take the head's.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.tissue import brighter_than_mean

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
TOP = 100.0  # of the common scale, whose bottom is 0


def head_percentiles(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """`PERCENTILES` of the voxels (X, Y, Z) that are brighter than the mean.

    Raises:
        ImageError: They all have one value.
    """
    found = np.percentile(brighter_than_mean(image), PERCENTILES)
    if found[-1] <= found[0]:
        raise ImageError(f"the brighter voxels are all {found[0]:g}; a mask given as a scan?")
    return np.asarray(found, dtype=np.float64)


def learn_landmarks(percentiles: Sequence[NDArray[np.float64]]) -> list[float]:
    """Where the percentiles of several scans lie on average, once the ends of each are at 0 and `TOP`."""
    scaled = [(own - own[0]) / (own[-1] - own[0]) * TOP for own in percentiles]
    return [float(value) for value in np.mean(scaled, axis=0)]


def at_landmarks(image: NDArray[np.float32], landmarks: Sequence[float]) -> NDArray[np.float32]:
    """The image with its head's percentiles at the landmarks, linear between them and beyond the ends."""
    own, common = head_percentiles(image), np.asarray(landmarks)
    widths = np.diff(own)
    slopes = np.divide(np.diff(common), widths, out=np.zeros(len(widths)), where=widths > 1e-5)
    segment = np.searchsorted(own[1:-1], image, side="right")
    return np.asarray(common[segment] + (image - own[segment]) * slopes[segment], dtype=np.float32)
