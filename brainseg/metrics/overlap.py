"""How far two masks overlap: boolean arrays of one shape.

Where a ratio has nothing to divide by, the rule of the BraTS challenges up to 2022 holds: it is 1 if both
masks are empty, and 0 if one of them is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mask = NDArray[np.bool_]
SMOOTH = 1.0  # of the soft scores, as in the student report's code


def dice(truth: Mask, guess: Mask) -> float:
    """Twice the shared voxels over the voxels of both."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(2 * shared, in_truth + in_guess)


def iou(truth: Mask, guess: Mask) -> float:
    """The shared voxels over the voxels of either."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(shared, in_truth + in_guess - shared)


def sensitivity(truth: Mask, guess: Mask) -> float:
    """Share of the truth that was found. If the truth is empty: 1 if the guess is empty too, else 0."""
    shared, in_truth, in_guess = _counts(truth, guess)
    return _ratio(shared, in_truth) if in_truth else float(in_guess == 0)


def specificity(truth: Mask, guess: Mask) -> float:
    """Share of the voxels outside the truth that the guess leaves out; 1 if the truth fills the volume."""
    shared, in_truth, in_guess = _counts(truth, guess)
    outside = truth.size - in_truth
    return _ratio(outside - (in_guess - shared), outside)


def soft_dice(truth: Tensor, probabilities: Tensor) -> Tensor:
    """The skull stripper's metric in the student report: a scalar, without a threshold.

    (2 sum(p t) + 1) / (sum p + sum t + 1) over all values of two tensors of one shape, for a batch too. It
    serves to compare with the student report; `dice` of each case is the better number.
    """
    guess, mask = probabilities.float(), truth.float()
    score: Tensor = (2 * (guess * mask).sum() + SMOOTH) / (guess.sum() + mask.sum() + SMOOTH)
    return score


def soft_iou(truth: Tensor, probabilities: Tensor) -> Tensor:
    """As `soft_dice`: (I + 1) / (sum p + sum t - I + 1), where I = sum(p t)."""
    guess, mask = probabilities.float(), truth.float()
    shared = (guess * mask).sum()
    score: Tensor = (shared + SMOOTH) / (guess.sum() + mask.sum() - shared + SMOOTH)
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


def region_dices(truth: Tensor, guess: Tensor, regions: Mapping[str, tuple[int, ...]]) -> Tensor:
    """The Dice of each region of each case, (B, R), from label classes (B, X, Y, Z).

    A case scores 1 if truth and guess both lack the region, and 0 if one of them does.
    """
    if truth.shape != guess.shape:
        raise ValueError(
            f"truth is {tuple(truth.shape)} but guess {tuple(guess.shape)}; both are (B, X, Y, Z)"
        )
    return torch.stack([_dices(truth, guess, classes) for classes in regions.values()], dim=1)


def _dices(truth: Tensor, guess: Tensor, classes: tuple[int, ...]) -> Tensor:
    wanted = torch.tensor(classes, device=truth.device)
    there, found = torch.isin(truth, wanted).flatten(1), torch.isin(guess, wanted).flatten(1)
    shared, voxels = (there & found).sum(dim=1), there.sum(dim=1) + found.sum(dim=1)
    return torch.where(voxels > 0, 2 * shared / voxels.clamp_min(1), 1.0)
