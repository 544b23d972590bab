"""The distance to the brain's edge, in millimetres, and the loss of a network that regresses it."""

import math
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
        with torch.no_grad():
            nearest, farthest = self._bounds(truth > 0.5, guess)
            right = guess.maximum(nearest).minimum(farthest)  # the nearest value that costs nothing
        return F.mse_loss(guess, right)

    def _bounds(self, inside: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the greatest signed distance that each voxel may have."""
        distance = _distance_to_other_side(inside, self.spacing_mm, self.limit_mm)
        least = distance.minimum(distance_to_border(distance.shape[1:], self.spacing_mm).to(distance)).to(
            like
        )
        most = distance.masked_fill(distance >= self.limit_mm, torch.inf).to(like)
        return torch.where(inside, least, -most), torch.where(inside, most, -least)


def signed_distance(mask: Tensor, spacing_mm: Sequence[float], limit_mm: float) -> Tensor:
    """How far each voxel of masks (B, X, Y, Z) is from the nearest one on the other side of the edge, in mm.

    Positive inside, negative outside, clipped to `limit_mm`; exact, between the centres of voxels. Beyond the
    border nothing is known, and nothing is assumed.
    """
    distance = _distance_to_other_side(mask, spacing_mm, limit_mm)
    return torch.where(mask, distance, -distance)


def distance_to_border(shape: Sequence[int], spacing_mm: Sequence[float]) -> Tensor:
    """How far each voxel (X, Y, Z) is from the first place beyond the array, in mm."""
    nearest = torch.full(tuple(shape), torch.inf)
    for axis, (n, step) in enumerate(zip(shape, spacing_mm, strict=True)):
        index = torch.arange(n)
        reach = torch.minimum(index + 1, n - index) * step
        nearest = nearest.minimum(reach.view([-1 if a == axis else 1 for a in range(3)]))
    return nearest


def _distance_to_other_side(mask: Tensor, spacing_mm: Sequence[float], limit_mm: float) -> Tensor:
    """How far each voxel is from the nearest one on the other side of the edge, at most `limit_mm`.

    Where all sides of a voxel are equal, squares of distances are whole numbers of voxels. Those that fit a
    byte are computed as bytes, of which a processor takes four times as many at once as of floats.
    """
    equal = len(set(spacing_mm)) == 1
    unit = spacing_mm[0] if equal else 1.0
    reach, steps = limit_mm / unit, [step / unit for step in spacing_mm]
    far = math.ceil(reach**2)
    small = equal and far + 2 * int(reach) <= torch.iinfo(torch.uint8).max
    kind, most = (torch.uint8, far) if small else (torch.float32, reach**2)
    # From the voxels inside to those outside, and back; a last plane, far from all, ends each row.
    squared = torch.full((2, *mask.shape[:-1], mask.shape[-1] + 1), most, dtype=kind, device=mask.device)
    torch.mul(mask, most, out=squared[0, ..., :-1])
    torch.mul(~mask, most, out=squared[1, ..., :-1])
    for axis, step in enumerate(steps, start=2):
        _spread_along(axis, squared, step, reach, most)
    nearest = (squared[0] + squared[1])[..., :-1]  # one of them is 0
    return nearest.float().sqrt().mul_(unit).clamp_(max=limit_mm)


def _spread_along(axis: int, squared: Tensor, step: float, reach: float, most: float) -> None:
    """Lower each square to the least along an axis of it plus the square of the way there.

    The way to the k-th neighbour is k steps of 1, 3, 5, ... step^2, which add up to (k step)^2.

    Args:
        axis: Of `squared`.
        squared: (2, B, X, Y, Z + 1).
        step: Length of a step along the axis.
        reach: No way is longer.
        most: What the last plane along Z holds, and keeps.
    """
    row = squared.shape[axis:].numel()
    n = squared.shape[axis] - (axis == squared.ndim - 1)
    # Along the last axis as one row: the plane at its end keeps rows from reaching into each other.
    rows, by = (squared.view(1, -1), 1) if axis == squared.ndim - 1 else (squared.view(-1, row), row // n)
    for k in range(1, min(int(reach / step), n - 1) + 1):
        cost = (2 * k - 1) * step**2
        there = rows + (cost if squared.is_floating_point() else round(cost))
        for here, beside in ((rows[:, by:], there[:, :-by]), (rows[:, :-by], there[:, by:])):
            torch.minimum(here, beside, out=here)
        squared[..., -1] = most


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
