"""How far two masks cover each other, of boolean arrays of one shape.

Where a ratio has nothing to divide by, the rule of the BraTS challenges up to 2022 holds: 1 if both masks are
empty, 0 if one of them is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Mask = NDArray[np.bool_]


def dice(truth: Mask, guess: Mask) -> float:
    """Twice the shared voxels over the voxels of both."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(2 * shared, in_truth + in_guess)


def iou(truth: Mask, guess: Mask) -> float:
    """The shared voxels over the voxels of either."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(shared, in_truth + in_guess - shared)


def sensitivity(truth: Mask, guess: Mask) -> float:
    """Share of the truth that was found; of an empty truth 1 if the guess is empty too, else 0."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(shared, in_truth) if in_truth else float(in_guess == 0)


def specificity(truth: Mask, guess: Mask) -> float:
    """Share of the voxels outside the truth that the guess leaves out; 1 if the truth fills the volume."""
    shared, in_truth, in_guess = _counts(truth, guess)
    outside = truth.size - in_truth
    return _ratio(outside - (in_guess - shared), outside)


def soft_dice(truth: Tensor, probabilities: Tensor, smooth: float = 1.0) -> Tensor:
    """The skull stripper's metric in the report: a scalar, of tensors of one shape, without a threshold.

    (2 sum(p t) + smooth) / (sum p + sum t + smooth) over everything given, whole batches included. It is kept
    for comparison with the report: `dice` of each case is the better number.
    """
    guess, mask = probabilities.float(), truth.float()
    score: Tensor = (2 * (guess * mask).sum() + smooth) / (guess.sum() + mask.sum() + smooth)
    return score


def soft_iou(truth: Tensor, probabilities: Tensor, smooth: float = 1.0) -> Tensor:
    """As `soft_dice`: (I + smooth) / (sum p + sum t - I + smooth), I = sum(p t)."""
    guess, mask = probabilities.float(), truth.float()
    shared = (guess * mask).sum()
    score: Tensor = (shared + smooth) / (guess.sum() + mask.sum() - shared + smooth)
    return score


def _counts(truth: NDArray[Any], guess: NDArray[Any]) -> tuple[int, int, int]:
    """Voxels shared, in the truth, in the guess."""
    if truth.shape != guess.shape or truth.dtype != np.bool_ or guess.dtype != np.bool_:
        raise ValueError(
            f"truth is {truth.dtype} {truth.shape} and guess {guess.dtype} {guess.shape}; "
            "give two boolean masks of one shape"
        )
    return int(np.count_nonzero(truth & guess)), int(np.count_nonzero(truth)), int(np.count_nonzero(guess))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
