"""The cube of a prepared scan that a classifier of volumes sees, and the way back."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F


def in_cube(image_CXYZ: torch.Tensor, side: int) -> torch.Tensor:
    """The middle of a scan (C, X, Y, Z), a cube of `side` voxels: with zeros around it, or cut off.

    The middle is that of what is not 0 in any channel, so that air around a brain does not move it.
    """
    return _cut(image_CXYZ, side)[0]


def corner_of(image_CXYZ: torch.Tensor, side: int) -> list[int]:
    """Which voxel of a scan the first one of its cube is; below 0 where zeros come first."""
    return _cut(image_CXYZ, side)[1]


def out_of_cube(
    cube: NDArray[np.float32], corner: Sequence[int], shape: Sequence[int]
) -> NDArray[np.float32]:
    """What a cube (S, S, S) says of a scan (X, Y, Z), 0 outside of it.

    Args:
        cube: In the place that `in_cube` cut out.
        corner: From `corner_of`.
        shape: Of the scan.
    """
    found = np.zeros(tuple(shape), np.float32)
    spans = [
        (max(start, 0), min(start + side, n))
        for start, side, n in zip(corner, cube.shape, shape, strict=True)
    ]
    there = tuple(slice(first, last) for first, last in spans)
    here = tuple(slice(a - start, b - start) for (a, b), start in zip(spans, corner, strict=True))
    found[there] = cube[here]
    return found


def _cut(image_CXYZ: torch.Tensor, side: int) -> tuple[torch.Tensor, list[int]]:
    corner = []
    for axis in range(1, 4):
        others = tuple(a for a in range(4) if a != axis)
        filled = image_CXYZ.ne(0).any(dim=others).nonzero()
        first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, image_CXYZ.shape[axis] - 1)
        start = (first + last + 1 - side) // 2
        before, after = max(-start, 0), max(start + side - image_CXYZ.shape[axis], 0)
        image_CXYZ = F.pad(image_CXYZ, (*(0, 0) * (3 - axis), before, after))
        image_CXYZ = image_CXYZ.narrow(axis, max(start, 0), side)
        corner.append(start)
    return image_CXYZ, corner
