"""Losses of one logit per voxel (B, 1, X, Y, Z) against a mask (B, X, Y, Z) of 0 and 1."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.config.errors import ConfigError
from brainseg.losses.precision import at_least_float32


class BinaryDiceLoss(nn.Module):
    """1 - (2 sum(p t) + smooth) / (sum p + sum t + smooth) of the sigmoid, the whole batch pooled."""

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        guess, truth = pair(logits, mask)
        guess = guess.sigmoid()
        shared, total = (guess * truth).sum(), guess.sum() + truth.sum()
        return 1 - (2 * shared + self.smooth) / (total + self.smooth)


class BinaryIoULoss(nn.Module):
    """1 - (I + smooth) / (sum p + sum t - I + smooth), I = sum(p t), of the sigmoid, the batch pooled."""

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        guess, truth = pair(logits, mask)
        guess = guess.sigmoid()
        shared = (guess * truth).sum()
        return 1 - (shared + self.smooth) / (guess.sum() + truth.sum() - shared + self.smooth)


class BinaryMSELoss(nn.Module):
    """Mean squared difference of the sigmoid from the mask."""

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        guess, truth = pair(logits, mask)
        return F.mse_loss(guess.sigmoid(), truth)


class BinaryCrossentropy(nn.Module):
    """Mean -log p of what the mask says, p from the sigmoid, computed from the logits.

    Args:
        hardest: Share of the batch's voxels that count, those of the largest loss (Wu et al., "Bridging
            category-level and instance-level semantic image segmentation", arXiv 1605.06885). 1 is the mean
            of all, in which a few hundred wrong voxels are lost among hundreds of thousands.

    Raises:
        ConfigError: `hardest` is no share.
    """

    def __init__(self, hardest: float = 1.0) -> None:
        super().__init__()
        if not 0 < hardest <= 1:
            raise ConfigError(f"hardest={hardest} must be a share of the voxels, above 0 and at most 1")
        self.hardest = hardest

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        guess, truth = pair(logits, mask)
        if self.hardest == 1:
            return F.binary_cross_entropy_with_logits(guess, truth)
        with torch.no_grad():
            each = F.binary_cross_entropy_with_logits(guess, truth, reduction="none").flatten()
            counted = _largest(each, max(1, round(self.hardest * len(each))))
        return F.binary_cross_entropy_with_logits(guess.flatten()[counted], truth.flatten()[counted])


def _largest(values: Tensor, k: int) -> Tensor:
    """Where the k largest of (N,) values are, in any order; on a CPU NumPy is seven times as fast."""
    if values.device.type != "cpu":
        return values.topk(k, sorted=False).indices
    return torch.from_numpy(np.argpartition(values.numpy(), len(values) - k)[-k:])


class DiceBCELoss(nn.Module):
    """`BinaryDiceLoss` plus a multiple of `BinaryCrossentropy`."""

    def __init__(self, bce_weight: float = 1.0, smooth: float = 1.0, hardest: float = 1.0) -> None:
        super().__init__()
        self.dice = BinaryDiceLoss(smooth)
        self.crossentropy = BinaryCrossentropy(hardest)
        self.bce_weight = bce_weight

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        loss: Tensor = self.dice(logits, mask) + self.bce_weight * self.crossentropy(logits, mask)
        return loss


def pair(logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and mask, both (B, X, Y, Z) and of the same type, float32 at least."""
    if logits.shape != (mask.shape[0], 1, *mask.shape[1:]):
        raise ValueError(
            f"mask is {tuple(mask.shape)} but logits {tuple(logits.shape)}; "
            "a mask (B, X, Y, Z) needs one logit per voxel, (B, 1, X, Y, Z)"
        )
    guess = at_least_float32(logits).squeeze(1)
    return guess, mask.to(guess.dtype)
