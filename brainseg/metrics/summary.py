"""One score over many cases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """One score over all cases for which it is defined."""

    n: int
    mean: float
    low: float  # the interval of the mean
    high: float
    median: float
    quartiles: tuple[float, float]


def summarised(values: Sequence[float]) -> Summary:
    """Mean with its interval of 95 % (percentiles over resamples, Efron 1979), median, quartiles."""
    known = np.asarray([value for value in values if not math.isnan(value)], dtype=np.float64)
    if not len(known):
        nothing = float("nan")
        return Summary(0, nothing, nothing, nothing, nothing, (nothing, nothing))
    draws = np.random.default_rng(0).integers(0, len(known), (RESAMPLES, len(known)))
    # There is no value between 5 mm and infinity.
    between: Literal["linear", "nearest"] = "linear" if np.isfinite(known).all() else "nearest"
    with np.errstate(invalid="ignore"):
        low, high = np.percentile(known[draws].mean(axis=1), (2.5, 97.5), method=between)
        first, middle, third = (float(q) for q in np.percentile(known, (25, 50, 75), method=between))
    return Summary(len(known), float(known.mean()), float(low), float(high), middle, (first, third))
