"""Focal losses of several classes, of logits (B, K, X, Y, Z) and class labels (B, X, Y, Z)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.losses.dice import DiceLoss
from brainseg.losses.precision import at_least_float32

EPSILON = 1e-7  # keras.backend.epsilon()


class CategoricalFocalLoss(nn.Module):
    """Mean over voxels and classes of -truth * alpha * (1 - p)^gamma * log p, p the softmax.

    Focal loss, Lin et al. 2017, eq. 5, with one alpha for every class, as in segmentation_models_3D 1.0.
    That library clips p to [1e-7, 1 - 1e-7]. Here p is clipped at the upper end only: where the true class
    has p < 1e-7 the loss goes on rising, and so keeps its gradient.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        """Set the constants.

        Args:
            alpha: Factor of the whole.
            gamma: How much less a voxel counts that is nearly right; 0 leaves the cross-entropy.
        """
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        # -log p, (B, X, Y, Z)
        surprise = F.cross_entropy(at_least_float32(logits), labels.long(), reduction="none")
        wrong = (-torch.expm1(-surprise)).clamp_min(EPSILON)  # 1 - p without cancellation
        return (self.alpha * wrong**self.gamma * surprise).mean() / logits.shape[1]


class DiceFocalLoss(nn.Module):
    """`DiceLoss` plus a multiple of `CategoricalFocalLoss`: the student report's loss at the defaults."""

    def __init__(
        self,
        focal_weight: float = 1.0,
        alpha: float = 0.25,
        gamma: float = 2.0,
        class_weights: Sequence[float] | None = None,
        smooth: float = 1e-5,
    ) -> None:
        """Set the constants.

        Args:
            focal_weight: Factor of the focal term.
            alpha: As in the focal term.
            gamma: As in the focal term.
            class_weights: As in the Dice term.
            smooth: As in the Dice term.
        """
        super().__init__()
        self.dice = DiceLoss(class_weights=class_weights, smooth=smooth)
        self.focal = CategoricalFocalLoss(alpha, gamma)
        self.focal_weight = focal_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.dice(logits, labels) + self.focal_weight * self.focal(logits, labels)
        return loss
