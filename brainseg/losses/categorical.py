"""The classifier's losses as Keras defines them, of logits (B, K) and class indices (B,)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.losses.precision import at_least_float32

EPSILON = 1e-7  # keras.backend.epsilon()


class CategoricalCrossentropy(nn.Module):
    """Mean of -log p of the true class.

    From the logits, as Keras 2 computes it after a softmax layer: neither clipped nor without gradient where
    the network is confident and wrong.

    Args:
        label_smoothing: Share of the truth that is spread evenly over all classes (Szegedy et al. 2016).
        class_weights: What a sample of each class counts; the mean is over the weights. None: all the same.
    """

    def __init__(self, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.label_smoothing, self.class_weights = label_smoothing, class_weights

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        weights = None if self.class_weights is None else logits.new_tensor(list(self.class_weights))
        return F.cross_entropy(
            at_least_float32(logits),
            labels,
            None if weights is None else at_least_float32(weights),
            label_smoothing=self.label_smoothing,
        )


class KLDivergence(nn.Module):
    """Mean Kullback-Leibler divergence of the softmax from the one-hot truth, both clipped to [1e-7, 1].

    Within 5e-6 of the cross-entropy, except that a true class of p < 1e-7 has the constant loss 16.1 and so
    no gradient.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        probabilities = at_least_float32(logits).softmax(dim=1)
        return kl_divergence(probabilities, _one_hot(labels, probabilities)).mean()


class CategoricalHinge(nn.Module):
    """Mean of max(0, 1 + largest wrong p - true p) of the softmax: 0 when certain and right, 2 when wrong."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        probabilities = at_least_float32(logits).softmax(dim=1)
        return categorical_hinge(probabilities, _one_hot(labels, probabilities)).mean()


def kl_divergence(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Per sample (B,), of class probabilities and target probabilities (B, K), neither renormalised."""
    targets = targets.clamp(EPSILON, 1)
    return (targets * (targets / probabilities.clamp(EPSILON, 1)).log()).sum(dim=1)


def categorical_hinge(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Per sample (B,), of class probabilities and target probabilities (B, K)."""
    positive = (targets * probabilities).sum(dim=1)
    negative = ((1 - targets) * probabilities).amax(dim=1)
    return (1 + negative - positive).clamp_min(0)


def _one_hot(labels: Tensor, like: Tensor) -> Tensor:
    return F.one_hot(labels, like.shape[1]).to(like.dtype)
