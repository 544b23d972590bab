"""How noisy a scan is, and a filter for the scans that are."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_HAAR = np.float32(np.sqrt(0.5))  # the wavelet has this and its opposite
MAD_OF_NORMAL = 0.6744897501960817  # median of |x| of a standard normal distribution


def noise_share(volume: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """Standard deviation of the noise inside a mask, as a share of the median intensity there.

    From the finest diagonal Haar wavelets, which hold little but noise: Donoho and Johnstone 1994, section
    3. Grain that a scanner or a resampling has smoothed is finer than it can see, and counts as none.

    Args:
        volume: (X, Y, Z), on the grid on which it was measured.
        inside: (X, Y, Z), where there is tissue.
    """
    detail, whole = np.asarray(volume, dtype=np.float32), inside  # whole: all 8 voxels lie inside
    for axis, n in enumerate(volume.shape):
        one, other = ((slice(None),) * axis + (slice(start, n - n % 2, 2),) for start in (0, 1))
        detail, whole = (detail[one] - detail[other]) * _HAAR, whole[one] & whole[other]
    level = float(np.median(volume[inside])) if inside.any() else 0.0
    if not whole.any() or level <= 0:
        return 0.0
    return float(np.median(np.abs(detail[whole]))) / MAD_OF_NORMAL / level


def smoothed(
    volume: NDArray[np.floating], spacing_mm: tuple[float, float, float], deviation_mm: float
) -> NDArray[np.float32]:
    """The volume (X, Y, Z) after a Gaussian filter of this standard deviation, the same along every axis."""
    deviations = [deviation_mm / spacing for spacing in spacing_mm]
    return np.asarray(ndimage.gaussian_filter(volume.astype(np.float32), deviations))
