"""Losses of overlapping regions, of logits (B, R, X, Y, Z) and class labels (B, X, Y, Z).

The regions are those of `images.labels.REGIONS`, in that order: R is 3, or 4 with the resection cavity.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.images.labels import REGIONS, TUMOR_REGIONS, regions_with
from brainseg.losses.precision import at_least_float32


class RegionDiceBCELoss(nn.Module):
    """One minus the mean soft Dice of the regions' sigmoids, the batch pooled, plus their crossentropy.

    Args:
        bce_weight: Factor of the mean crossentropy per voxel and region.
        smooth: Added above and below in the Dice of each region, in voxels.
        missed: Weight of missed voxels in the Dice term, from 0 to 1; 1 - missed is that of voxels too many.
            0.5 is the Dice score, more gives fuller outlines: beta of the Tversky index, Salehi et al. 2017.
    """

    def __init__(self, bce_weight: float = 1.0, smooth: float = 1.0, missed: float = 0.5) -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.smooth = smooth
        self.missed = missed

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits, masks = _pair(logits, labels)
        crossentropy = F.binary_cross_entropy_with_logits(logits, masks.to(logits.dtype))
        return _dice_loss(logits, masks, self.smooth, self.missed) + self.bce_weight * crossentropy


class RegionDiceFocalLoss(nn.Module):
    """The Dice term of `RegionDiceBCELoss` plus a multiple of the binary focal loss of each region.

    Focal loss, Lin et al. 2017, eq. 4: without the class weight alpha of eq. 5.

    Args:
        focal_weight: Factor of the mean focal loss per voxel and region.
        gamma: How much less a voxel counts that is nearly right; 0 leaves the crossentropy.
        smooth: As for `RegionDiceBCELoss`.
    """

    def __init__(self, focal_weight: float = 1.0, gamma: float = 2.0, smooth: float = 1.0) -> None:
        super().__init__()
        self.focal_weight = focal_weight
        self.gamma = gamma
        self.smooth = smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        logits, masks = _pair(logits, labels)
        surprise = F.binary_cross_entropy_with_logits(logits, masks.to(logits.dtype), reduction="none")
        wrong = torch.where(masks, -logits, logits).sigmoid()
        focal = (wrong**self.gamma * surprise).mean()
        return _dice_loss(logits, masks, self.smooth) + self.focal_weight * focal


def region_masks(labels: Tensor, *, cavity: bool = False) -> Tensor:
    """Where each region lies, bool (B, R, X, Y, Z), in class labels (B, X, Y, Z)."""
    regions = regions_with(cavity=cavity).values()
    masks = [torch.isin(labels, labels.new_tensor(members)) for members in regions]
    return torch.stack(masks, dim=1)


def _pair(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, float32 at least, and the regions' masks."""
    masks = region_masks(labels, cavity=logits.ndim > 1 and logits.shape[1] == len(REGIONS))
    if logits.shape != masks.shape:
        raise ValueError(
            f"logits are {tuple(logits.shape)} but the regions of the labels {tuple(masks.shape)}; "
            f"labels (B, X, Y, Z) need one logit for each of {', '.join(TUMOR_REGIONS)}, and one more where "
            "the model learns the resection cavity"
        )
    return at_least_float32(logits), masks


def _dice_loss(logits: Tensor, masks: Tensor, smooth: float, missed: float = 0.5) -> Tensor:
    """One minus the mean Tversky index of the regions, which is the Dice score where `missed` is 0.5."""
    guess, axes = logits.sigmoid(), (0, 2, 3, 4)
    shared = (guess * masks).sum(dim=axes)
    total = 2 * (1 - missed) * guess.sum(dim=axes) + 2 * missed * masks.sum(dim=axes)
    return 1 - ((2 * shared + smooth) / (total + smooth)).mean()
