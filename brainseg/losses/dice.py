"""Dice losses of several classes, of logits (B, K, X, Y, Z) and class labels (B, X, Y, Z)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.losses.precision import at_least_float32


class DiceLoss(nn.Module):
    """One minus the mean over the classes, background included, of the soft F score of the softmax.

    Equal to `DiceLoss` of segmentation_models_3D 1.0: all images of a batch are pooled before the ratio is
    taken, and the smoothing term stands once in the numerator and once in the denominator.
    """

    def __init__(
        self,
        beta: float = 1.0,
        class_weights: Sequence[float] | None = None,
        class_indexes: Sequence[int] | None = None,
        per_image: bool = False,
        smooth: float = 1e-5,
    ) -> None:
        """Set the constants.

        Args:
            beta: Weight of recall against precision; 1 is Dice.
            class_weights: Factor of each class's score before the mean. As in that library they are not
                normalised: with 0.25 for each of 4 classes a perfect prediction has the loss 0.75.
            class_indexes: Classes that count; all if None.
            per_image: Take the score of each image, then the mean, instead of pooling the batch.
            smooth: Makes the score of a class that is neither there nor predicted 1.
        """
        super().__init__()
        self.beta = beta
        self.class_weights = class_weights
        self.class_indexes = class_indexes
        self.per_image = per_image
        self.smooth = smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        probabilities = at_least_float32(logits).softmax(dim=1)
        scores = soft_f_scores(
            probabilities, labels, beta=self.beta, per_image=self.per_image, smooth=self.smooth
        )
        if self.class_indexes is not None:
            scores = scores[:, list(self.class_indexes)]
        if self.class_weights is not None:
            scores = scores * scores.new_tensor(self.class_weights)
        return 1 - scores.mean()


class DiceCELoss(nn.Module):
    """`DiceLoss` plus a multiple of the mean cross-entropy per voxel."""

    def __init__(
        self, ce_weight: float = 1.0, class_indexes: Sequence[int] | None = None, smooth: float = 1e-5
    ) -> None:
        """Set the constants.

        Args:
            ce_weight: Factor of the cross-entropy.
            class_indexes: Classes that count in the Dice term, e.g. without background (1, 2, 3); all if
                None.
            smooth: As in the Dice term.
        """
        super().__init__()
        self.dice = DiceLoss(class_indexes=class_indexes, smooth=smooth)
        self.ce_weight = ce_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        crossentropy = F.cross_entropy(at_least_float32(logits), labels.long())
        loss: Tensor = self.dice(logits, labels) + self.ce_weight * crossentropy
        return loss


def soft_f_scores(
    probabilities: Tensor, labels: Tensor, *, beta: float = 1.0, per_image: bool = False, smooth: float = 1e-5
) -> Tensor:
    """F score of each class, (B, K) per image or (1, K) pooled over the batch.

    ((1 + b^2) TP + smooth) / (b^2 sum(truth) + sum(probabilities) + smooth), the sums over voxels.
    """
    if labels.shape != probabilities[:, 0].shape:
        raise ValueError(
            f"labels are {tuple(labels.shape)} but logits {tuple(probabilities.shape)}; "
            "labels must be class indices (B, X, Y, Z) for logits (B, K, X, Y, Z)"
        )
    classes = torch.arange(probabilities.shape[1], device=labels.device)
    # One byte for each voxel and class.
    truth = labels.unsqueeze(1) == classes.view(1, -1, *(1,) * (labels.ndim - 1))
    voxels = tuple(range(2, truth.ndim))
    axes = voxels if per_image else (0, *voxels)
    hit = (probabilities * truth).sum(dim=axes)
    guessed = probabilities.sum(dim=axes)
    present = truth.sum(dim=axes).to(guessed.dtype)
    scores = ((1 + beta**2) * hit + smooth) / (beta**2 * present + guessed + smooth)
    return scores if per_image else scores.unsqueeze(0)
