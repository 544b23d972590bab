"""The precision in which losses are summed."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """The same values in float32 where they came in half precision: sums over millions of voxels need it."""
    return x if x.dtype == torch.float64 else x.float()
