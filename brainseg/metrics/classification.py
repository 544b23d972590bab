"""Scores of class probabilities: accuracy, precision, recall, F1, area under the ROC curve, calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of the calibration error, as Guo et al. 2017
RESAMPLES = 1000
PER_CLASS = ("precision", "recall", "f1", "roc_auc")
OVERALL = ("accuracy", "f1_macro", "roc_auc_macro", "calibration_error", "cross_entropy")

Probabilities = NDArray[np.floating[Any]]
Truth = NDArray[np.integer[Any]]


def classification_scores(
    probabilities: Probabilities,
    truth: Truth,
    classes: Sequence[str],
    subjects: Sequence[str],
) -> dict[str, Any]:
    """Each score of N slices as {"value", "low", "high"}: `OVERALL`, and `PER_CLASS` under "classes".

    The interval of 95 % has the percentiles over resamples of the subjects, each with all of its slices
    (Efron 1979; for clusters Davison and Hinkley 1997, section 3.8). A score that is not defined, such as the
    recall of a class that does not occur, is None.

    Args:
        probabilities: (N, K).
        truth: (N,) class indices.
        classes: Names of the K columns.
        subjects: (N,); slices that are not independent, such as copies, share one.
    """
    members = _members(subjects)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(members), (RESAMPLES, len(members)))
    draws = (np.concatenate([members[i] for i in one]) for one in chosen)
    resampled = np.stack([_points(probabilities[draw], truth[draw]) for draw in draws])
    points = _points(probabilities, truth)
    found = iter([_interval(value, resampled[:, i]) for i, value in enumerate(points)])
    overall = {name: next(found) for name in OVERALL}
    by_class: dict[str, dict[str, Any]] = {
        name: {"n": int((truth == k).sum())} for k, name in enumerate(classes)
    }
    for score in PER_CLASS:
        for name in classes:
            by_class[name][score] = next(found)
    return {"n": len(truth), "subjects": len(members), **overall, "classes": by_class}


def confusion_matrix(guess: Truth, truth: Truth, n_classes: int) -> NDArray[np.int64]:
    """Counts (K, K): truth down, guess across."""
    counts = np.bincount((truth.astype(np.int64) * n_classes + guess).ravel(), minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def calibration_error(probabilities: Probabilities, truth: Truth) -> float:
    """Expected calibration error, 0 to 1: the gap of certainty and accuracy, averaged over all slices.

    Guo et al. 2017, eq. 3: slices are sorted into bins of equal width by the probability of their guess.
    torchmetrics computes the same in float32, which moves stored numbers by 1e-7, and counts a probability on
    the border of two bins in the upper one, where Guo et al. count it in the lower.
    """
    return float(sum(n * abs(sure - right) for n, sure, right in reliability(probabilities, truth)))


def reliability(probabilities: Probabilities, truth: Truth) -> list[tuple[float, float, float]]:
    """For each filled bin: the share of the slices, their mean certainty, and the share that is right."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)  # each holds its upper edge
    n = np.bincount(place, minlength=BINS)
    filled = n > 0
    certainty = np.bincount(place, weights=sure, minlength=BINS)[filled] / n[filled]
    accuracy = np.bincount(place, weights=right, minlength=BINS)[filled] / n[filled]
    return list(zip((n[filled] / len(truth)).tolist(), certainty.tolist(), accuracy.tolist(), strict=True))


def roc_auc(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """The chance that a positive has a higher score than a negative; ties count half. NaN if one is missing.

    It is the statistic of Mann and Whitney (1947), which is the area under the ROC curve.
    """
    from scipy.stats import rankdata  # half a second, which a prediction need not wait

    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * m))


def _members(subjects: Sequence[str]) -> list[NDArray[np.int64]]:
    """The places of each subject's slices."""
    places: dict[str, list[int]] = {}
    for i, subject in enumerate(subjects):
        places.setdefault(subject, []).append(i)
    return [np.array(own, dtype=np.int64) for own in places.values()]


def _points(probabilities: Probabilities, truth: Truth) -> NDArray[np.float64]:
    """The scores in the order of `OVERALL`, then in that of `PER_CLASS`, each with all classes."""
    k = probabilities.shape[1]
    matrix = confusion_matrix(probabilities.argmax(axis=1), truth, k)
    hits, wanted, given = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = _ratio(hits, given), _ratio(hits, wanted)
    f1 = _ratio(2 * hits, wanted + given)
    auc = np.array([roc_auc(probabilities[:, j], truth == j) for j in range(k)])
    chosen = np.clip(probabilities[np.arange(len(truth)), truth], 1e-12, 1)
    overall = [
        hits.sum() / len(truth),
        _mean_of_known(f1),
        _mean_of_known(auc),
        calibration_error(probabilities, truth),
        -np.log(chosen).mean(),
    ]
    return np.concatenate([overall, precision, recall, f1, auc])


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def _mean_of_known(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _interval(value: float, resampled: NDArray[np.float64]) -> dict[str, float] | None:
    if np.isnan(value):
        return None
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return {"value": float(value), "low": float(low), "high": float(high)}
