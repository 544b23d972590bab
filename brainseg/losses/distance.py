"""The distance to the brain's edge, in millimetres, and the loss of a network that regresses it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.losses.binary import DiceBCELoss, pair


class SignedDistanceLoss(nn.Module):
    """Mean squared difference, in mm^2, of the output from the signed distance to the mask's edge.

    The network regresses the distance instead of deciding each voxel (SynthStrip, Hoopes et al., NeuroImage
    2022), so a missing piece costs by how far it reaches and not by how many voxels it has. The mask is where
    the distance is positive.

    A patch does not show what lies beyond it: where its border is nearer than the mask's edge, the distance
    is only known to lie between the two, and every output in between costs nothing.

    Args:
        spacing_mm: Voxel size of the mask.
        limit_mm: Voxels that lie farther from the edge only have to say that they do.
    """

    def __init__(self, spacing_mm: Sequence[float], limit_mm: float = 10.0) -> None:
        super().__init__()
        self.spacing_mm, self.limit_mm = tuple(spacing_mm), limit_mm

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        guess, truth = pair(logits, mask)
        inside = truth > 0.5
        distance = signed_distance(inside, self.spacing_mm, self.limit_mm).abs()
        least = distance.minimum(distance_to_border(distance.shape[1:], self.spacing_mm).to(distance))
        most = distance.masked_fill(distance >= self.limit_mm, torch.inf)
        depth = torch.where(inside, guess, -guess)  # how far on its right side
        return F.mse_loss(depth, depth.maximum(least).minimum(most).detach())


def signed_distance(mask: Tensor, spacing_mm: Sequence[float], limit_mm: float) -> Tensor:
    """How far each voxel of masks (B, X, Y, Z) is from the nearest one on the other side of the edge, in mm.

    Positive inside, negative outside, clipped to `limit_mm`; exact, between the centres of voxels. Beyond the
    border nothing is known, and nothing is assumed.
    """
    inside = _distance_to(~mask, spacing_mm, limit_mm)
    return torch.where(mask, inside, -_distance_to(mask, spacing_mm, limit_mm))


def distance_to_border(shape: Sequence[int], spacing_mm: Sequence[float]) -> Tensor:
    """How far each voxel (X, Y, Z) is from the first place beyond the array, in mm."""
    nearest = torch.full(tuple(shape), torch.inf)
    for axis, (n, step) in enumerate(zip(shape, spacing_mm, strict=True)):
        index = torch.arange(n)
        reach = torch.minimum(index + 1, n - index) * step
        nearest = nearest.minimum(reach.view([-1 if a == axis else 1 for a in range(3)]))
    return nearest


def _distance_to(target: Tensor, spacing_mm: Sequence[float], limit_mm: float) -> Tensor:
    """Distance to the nearest true voxel, at most `limit_mm`: the squares of one axis after the other."""
    squared = torch.where(target, 0.0, limit_mm**2)
    for axis, step in enumerate(spacing_mm, start=1):
        lines, n = squared.clone(), squared.shape[axis]
        for k in range(1, min(int(limit_mm / step), n - 1) + 1):
            for here, there in ((0, k), (k, 0)):
                nearest = lines.narrow(axis, here, n - k)
                nearest.copy_(nearest.minimum(squared.narrow(axis, there, n - k) + (k * step) ** 2))
        squared = lines
    return squared.sqrt()


class DiceBCEDistanceLoss(nn.Module):
    """`DiceBCELoss` plus a multiple of `SignedDistanceLoss`: a logit of 1 is 1 mm.

    Args:
        spacing_mm: Voxel size of the mask.
        limit_mm: See `SignedDistanceLoss`.
        distance_weight: Factor of the distance term.
        hardest: Share of the voxels that count in the cross-entropy, as in `BinaryCrossentropy`.
    """

    def __init__(
        self,
        spacing_mm: Sequence[float],
        limit_mm: float = 10.0,
        distance_weight: float = 0.05,
        hardest: float = 1.0,
    ) -> None:
        super().__init__()
        self.dice_bce = DiceBCELoss(hardest=hardest)
        self.distance = SignedDistanceLoss(spacing_mm, limit_mm)
        self.distance_weight = distance_weight

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        loss: Tensor = self.dice_bce(logits, mask) + self.distance_weight * self.distance(logits, mask)
        return loss
