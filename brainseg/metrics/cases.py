"""Scores over cases: means with intervals of 95 %, differences of two models on the same cases.

Cases that are not independent, such as slices of one subject or copies of a slice, share a subject, and the
subjects are resampled, each with all of its cases (Efron 1979; for clusters Davison and Hinkley 1997, section
3.8). A case that a score is not defined for is left out of its mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
Cases = Mapping[str, float]  # the score of each case, by the case's name


@dataclass(frozen=True)
class Interval:
    """A mean over cases with its interval of 95 %; the ends are None where there is one subject only."""

    value: float
    low: float | None
    high: float | None
    cases: int


def mean_interval(runs: Sequence[Cases], subjects: Mapping[str, str]) -> Interval | None:
    """The mean of one or more runs of one setting: the mean of the runs' own means.

    With several runs the runs are drawn too, beside the subjects: the interval holds the chance of both.

    Args:
        runs: For each run the score of each case. The runs may have other cases.
        subjects: Whom each case shows.

    Returns:
        None where no case has the score.
    """
    tables = _tables(runs, subjects)
    if not tables:
        return None
    value, n = _mean(tables), len({case for run in runs for case in run})
    names = _names(tables)
    if len(names) < 2:
        return Interval(value, None, None, n)
    rng = np.random.default_rng(0)
    return _interval(value, _drawn(rng, tables, names, _weights(rng, len(names))), n)


def paired_difference(
    runs: Sequence[Cases], others: Sequence[Cases], subjects: Mapping[str, str]
) -> Interval | None:
    """The score of `runs` minus that of `others`, on the same drawn subjects; runs are drawn as above.

    Returns:
        None where the cases are not the same in all runs.
    """
    cases = runs[0].keys() if runs else set()
    if not cases or not others or any(run.keys() != cases for run in (*runs, *others)):
        return None
    ours, theirs = _tables(runs, subjects), _tables(others, subjects)
    if not ours or not theirs:
        return None
    value, names = _mean(ours) - _mean(theirs), _names([*ours, *theirs])
    if len(names) < 2:
        return Interval(value, None, None, len(cases))
    rng = np.random.default_rng(0)
    weights = _weights(rng, len(names))
    drawn = _drawn(rng, ours, names, weights) - _drawn(rng, theirs, names, weights)
    return _interval(value, drawn, len(cases))


def score_intervals(
    cases: Sequence[Mapping[str, float | str]],
) -> dict[str, dict[str, float | None] | None]:
    """Each score of N independent cases as {"value", "low", "high"}, for scores.json; texts are left out."""
    names = [name for name, value in (cases[0] if cases else {}).items() if not isinstance(value, str)]
    found: dict[str, dict[str, float | None] | None] = {}
    for name in names:
        values = {str(i): float(case[name]) for i, case in enumerate(cases)}
        interval = mean_interval([values], {})
        ends = None if interval is None else vars(interval)
        found[name] = None if ends is None else {end: ends[end] for end in ("value", "low", "high")}
    return found


class _Table:
    """The sums of a score and the numbers of cases of each subject."""

    def __init__(self, cases: Cases, subjects: Mapping[str, str]) -> None:
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for case, value in cases.items():
            if not math.isnan(value):
                subject = subjects.get(case, case)
                sums[subject] = sums.get(subject, 0.0) + value
                counts[subject] = counts.get(subject, 0) + 1
        self.names = list(sums)
        self.sums = np.array(list(sums.values()), dtype=np.float64)
        self.counts = np.array(list(counts.values()), dtype=np.float64)

    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())

    def means(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of each resample, by how often (RESAMPLES, N) it has each subject."""
        n = weights @ self.counts
        return np.asarray(np.divide(weights @ self.sums, n, out=np.full(len(n), np.nan), where=n > 0))


def _tables(runs: Sequence[Cases], subjects: Mapping[str, str]) -> list[_Table]:
    """Those of the runs that have the score."""
    return [table for table in (_Table(run, subjects) for run in runs) if table.names]


def _mean(tables: Sequence[_Table]) -> float:
    return float(np.mean([table.mean() for table in tables]))


def _names(tables: Sequence[_Table]) -> list[str]:
    """All subjects, each once."""
    return list(dict.fromkeys(name for table in tables for name in table.names))


def _weights(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """How often each of n subjects is drawn in each resample, (RESAMPLES, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


def _drawn(
    rng: np.random.Generator, tables: Sequence[_Table], names: Sequence[str], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean of each resample, (RESAMPLES,), of subjects by their weights and of runs."""
    place = {name: i for i, name in enumerate(names)}
    means = np.stack([table.means(weights[:, [place[name] for name in table.names]]) for table in tables])
    runs = rng.integers(0, len(tables), (len(tables), RESAMPLES))
    return np.asarray(np.nanmean(np.take_along_axis(means, runs, axis=0), axis=0))


def _interval(value: float, drawn: NDArray[np.float64], cases: int) -> Interval:
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Interval(value, float(low), float(high), cases)
