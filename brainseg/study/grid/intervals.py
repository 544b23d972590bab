"""Means with intervals of 95 %: from the number of slices of one run, or from how several runs differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from scipy.stats import binomtest, t

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean, and the interval of 95 % around it if one can be given."""

    mean: float
    low: float | None = None
    high: float | None = None
    how: str = ""  # how the interval was made, e.g. "Wilson, 40 of 53"


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson's score interval of a share, right of n (Wilson 1927, without the correction for continuity).

    Unlike mean +- 1.96 sigma it stays within [0, 1] and keeps a width where all or none are right.
    """
    found = binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of the mean; None for fewer than two values, or where all are equal.

    Equal values would give a width of 0, as if the mean were known exactly.
    """
    if len(values) < 2 or max(values) == min(values):
        return None
    standard_error = stdev(values) / math.sqrt(len(values))
    low, high = t.interval(CONFIDENCE, len(values) - 1, loc=fmean(values), scale=standard_error)
    return float(low), float(high)


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean of one or more values, with the t interval if they have one."""
    interval = t_interval(values)
    if interval is None:
        return Estimate(fmean(values))
    return Estimate(fmean(values), *interval, how=f"t, n = {len(values)}")


def mean_loss(losses: Sequence[float]) -> Estimate:
    """The mean over runs with the t interval, cut off at 0."""
    estimate = mean_of(losses)
    return estimate if estimate.low is None else replace(estimate, low=max(0.0, estimate.low))


def mean_accuracy(
    accuracies: Sequence[float], counts: Sequence[tuple[int, int] | None], slices: int
) -> Estimate:
    """The mean over runs with the t interval; with Wilson's for one run, or where all runs agree exactly.

    Args:
        accuracies: One for each run, at least one.
        counts: For each run how many slices were right, and how many there are; None where not known.
        slices: How many different slices all runs have together: one that two runs share counts once.
    """
    estimate = mean_of(accuracies)
    if estimate.low is not None and estimate.high is not None:
        return replace(estimate, low=max(0.0, estimate.low), high=min(1.0, estimate.high))
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return estimate
    right = round(estimate.mean * slices)
    return Estimate(estimate.mean, *wilson(right, slices), how=f"Wilson, {right} of {slices}")


def overlap(one: Estimate, other: Estimate) -> bool | None:
    """Whether two intervals share a value; None if one of them is not known."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return None
    return one.low <= other.high and other.low <= one.high


def interval(estimate: Estimate) -> str:
    """The bounds of an estimate as text; "" where it has none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.4f} to {estimate.high:.4f}"
