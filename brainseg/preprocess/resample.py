"""Interpolation between grids whose axes run alike: one small matrix for each axis, so it is fast and exact.

Wanted voxel i of an axis lies at index `positions[i]` of the given axis. Interpolation in three
dimensions is then three matrix products; smoothing before downsampling is a part of the same matrices.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]


def linear(image: NDArray[np.float32], positions: Sequence[Positions]) -> NDArray[np.float32]:
    """Values (C, X', Y', Z') of an image (C, X, Y, Z) by linear interpolation, smoothed before downsampling.

    A position outside takes the outer voxel's value.

    Args:
        image: float32; any leading axis.
        positions: For each of the three axes, in voxels of the image, ascending and evenly spaced.
    """
    # The axis that shrinks most goes first: the later ones then have less to do.
    for axis in sorted(range(3), key=lambda a: len(positions[a]) / image.shape[a + 1]):
        if not _is_identity(positions[axis], image.shape[axis + 1]):
            weights = linear_weights(image.shape[axis + 1], positions[axis])
            image = _along(image, axis + 1, weights)
    return image


def nearest(image: NDArray[np.generic], positions: Sequence[Positions]) -> NDArray[np.generic]:
    """Values (C, X', Y', Z') of the nearest voxels of an image (C, X, Y, Z)."""
    for axis, along in enumerate(positions):
        size = image.shape[axis + 1]
        if not _is_identity(along, size):
            index = np.clip(np.floor(along + 0.5), 0, size - 1).astype(np.intp)
            image = np.take(image, index, axis=axis + 1)
    return image


def majority(labels: NDArray[np.generic], positions: Sequence[Positions]) -> NDArray[np.generic]:
    """Values (C, X', Y', Z') of labels (C, X, Y, Z), each the label with most weight there.

    Each label's mask is interpolated as `linear` does an image, so labels and image stay in step. The nearest
    voxel would not do: at half the resolution it is always the same one of two, which moves all by half a
    voxel.
    """
    best = np.zeros((len(labels), *(len(p) for p in positions)), dtype=labels.dtype)
    weight = np.zeros(best.shape, dtype=np.float32)
    for value in np.unique(labels):
        share = linear((labels == value).astype(np.float32), positions)
        wins = share > weight
        best[wins], weight[wins] = value, share[wins]
    return best


def linear_weights(size: int, positions: Positions) -> NDArray[np.float32]:
    """(wanted, size): each wanted value as weights of the given ones; rows sum to 1.

    When the step s between positions exceeds a voxel, the given axis is first smoothed by a Gaussian of
    standard deviation sqrt((s^2 - 1) / (8 ln 2)) voxels. It widens a point of full width 1 at half
    maximum to s, and is 0 at s = 1 (Cardoso et al., "Scale factor point spread function matching",
    MICCAI 2015).
    """
    index = np.arange(size)
    weights = np.maximum(0.0, 1.0 - np.abs(np.clip(positions, 0, size - 1)[:, None] - index))
    # One wanted value stands for the whole axis.
    step = (positions[-1] - positions[0]) / (len(positions) - 1) if len(positions) > 1 else size
    if step > 1.0:
        sigma = np.sqrt((step**2 - 1) / (8 * np.log(2)))
        blur = np.exp(-0.5 * ((index[:, None] - index) / sigma) ** 2)
        weights = weights @ (blur / blur.sum(axis=1, keepdims=True))
    return np.asarray(weights, dtype=np.float32)


def _is_identity(positions: Positions, size: int) -> bool:
    return len(positions) == size and bool(np.allclose(positions, np.arange(size), rtol=0, atol=1e-4))


def _along(image: NDArray[np.float32], axis: int, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image with `weights` (wanted, given) applied along one axis."""
    before, after = int(np.prod(image.shape[:axis])), int(np.prod(image.shape[axis + 1 :]))
    flat = np.ascontiguousarray(image).reshape(before, image.shape[axis], after)
    out = np.matmul(weights, flat) if after > 1 else flat[:, :, 0] @ weights.T
    return np.asarray(out.reshape(*image.shape[:axis], len(weights), *image.shape[axis + 1 :]))
