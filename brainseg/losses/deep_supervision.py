"""The loss of a network that answers at several resolutions at once."""

from collections.abc import Callable

from torch import Tensor


def deeply_supervised(
    loss: Callable[[Tensor, Tensor], Tensor], answers_BHKXYZ: Tensor, labels: Tensor
) -> Tensor:
    """The weighted mean of a loss over H answers, each counting half as much as the finer one before it.

    Isensee et al., "nnU-Net", Nature Methods 2021. There the truth is made coarser for each answer; here the
    network has enlarged its answers to the size of the truth.

    Args:
        loss: Takes logits (B, K, X, Y, Z) and labels.
        answers_BHKXYZ: Logits, the finest first.
        labels: Class labels (B, X, Y, Z).
    """
    weights = [0.5**level for level in range(answers_BHKXYZ.shape[1])]
    losses = [w * loss(answers_BHKXYZ[:, level], labels) for level, w in enumerate(weights)]
    total: Tensor = sum(losses[1:], losses[0]) / sum(weights)
    return total
