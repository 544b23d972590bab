"""The cube of a prepared scan that a classifier of volumes sees."""

import torch
from torch.nn import functional as F


def in_cube(image_CXYZ: torch.Tensor, side: int) -> torch.Tensor:
    """The middle of a scan (C, X, Y, Z), a cube of `side` voxels: with zeros around it, or cut off.

    The middle is that of what is not 0 in any channel, so that air around a brain does not move it.
    """
    for axis in range(1, 4):
        others = tuple(a for a in range(4) if a != axis)
        filled = image_CXYZ.ne(0).any(dim=others).nonzero()
        first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, image_CXYZ.shape[axis] - 1)
        start = (first + last + 1 - side) // 2
        before, after = max(-start, 0), max(start + side - image_CXYZ.shape[axis], 0)
        image_CXYZ = F.pad(image_CXYZ, (*(0, 0) * (3 - axis), before, after))
        image_CXYZ = image_CXYZ.narrow(axis, max(start, 0), side)
    return image_CXYZ
