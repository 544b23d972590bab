"""Connected parts of a mask (X, Y, Z): voxels that share a face, an edge or a corner belong together."""

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from brainseg.images.masks import box_of

Mask = NDArray[np.bool_]


def largest_component(mask: Mask) -> Mask:
    """The part with the most voxels; empty for an empty mask."""
    largest = np.zeros(mask.shape, dtype=bool)
    box = box_of(mask)
    parts, counts = _parts(mask[box])
    if len(counts):
        largest[box] = parts == counts.argmax() + 1
    return largest


def remove_small(mask: Mask, minimum_voxels: int) -> Mask:
    """The mask without its parts of fewer voxels than `minimum_voxels`."""
    parts, counts = _parts(mask)
    kept: Mask = np.concatenate([[False], counts >= minimum_voxels])[parts]
    return kept


def fill_holes(mask: Mask) -> Mask:
    """The mask and the voxels that it encloses: no path through faces links them to the volume's edge."""
    filled = mask.astype(bool)
    box = box_of(filled)  # what touches its border is linked to the edge of the volume, or lies at it
    outside = cc3d.connected_components(~filled[box], connectivity=6)
    linked = np.zeros(int(outside.max()) + 1, dtype=bool)
    for axis in range(3):
        for edge in (0, -1):
            linked[np.unique(np.take(outside, edge, axis=axis))] = True
    linked[0] = False  # the mask itself, which may reach the edge
    filled[box] = ~linked[outside]
    return filled


def _parts(mask: Mask) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Part of each voxel, 0 outside the mask, and the sizes of parts 1, 2, ... in voxels."""
    parts = cc3d.connected_components(mask.astype(bool), connectivity=26)
    return parts, np.bincount(parts.ravel())[1:]
