"""Which grey a voxel gets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND_SHARE = 0.02  # a value that fills less of the image than this is no background


def to_grey(image: NDArray[Any], inside: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """The image in [0, 1], from the 0.5th to the 99.5th percentile of what is shown, background black.

    The background of a z-scored scan is 0, in the middle of its range, and would be grey: voxels that have
    exactly the value of the corner become black if they are many.

    Args:
        image: Any shape and range; what is not finite becomes black.
        inside: Where the percentiles are taken, for instance the brain; None takes all but the background.
    """
    image = np.asarray(image, dtype=np.float32)
    background = image == image.flat[0]
    if background.mean() < BACKGROUND_SHARE:
        background = np.zeros(image.shape, dtype=bool)
    shown = np.isfinite(image) & (~background if inside is None else inside)
    if not shown.any():
        return np.zeros(image.shape, dtype=np.float32)
    low, high = np.percentile(image[shown], (0.5, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return np.where(background & (image.flat[0] > low) | ~np.isfinite(image), 0, grey).astype(np.float32)
