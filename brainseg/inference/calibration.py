"""Calibration of a classifier's probabilities by a temperature."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, log_softmax, softmax

SEARCHED = (0.2, 10.0)  # where every guess is right no temperature is the best


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The T for which softmax(logits / T) has the least cross-entropy with the truth.

    Guo et al., "On calibration of modern neural networks" (2017), section 4.2. Above 1 the network was too
    certain, below 1 too uncertain. The most probable class stays the same.

    Args:
        logits: (N, K), of slices that the network has not learnt from.
        truth: (N,) class indices.
    """
    from scipy.optimize import minimize_scalar  # a prediction does not wait for it

    rows, logits = np.arange(len(truth)), logits.astype(np.float64)

    def cross_entropy(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[rows, truth].mean())

    best = minimize_scalar(cross_entropy, bounds=np.log(SEARCHED), method="bounded")
    return float(np.exp(best.x))


def calibrated(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K) at a temperature."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature, axis=1))


def undecidedness(probabilities: NDArray[np.floating]) -> float:
    """The entropy of probabilities (K,) over the largest that K can have: 0 is certain, 1 knows nothing."""
    return float(entr(probabilities / np.sum(probabilities)).sum() / np.log(len(probabilities)))
