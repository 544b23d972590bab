"""The folds of a cross-validation, together: every case once, scored by the run that has not seen it."""

from collections.abc import Sequence

from brainseg.compare.runs import Run
from brainseg.metrics.cases import Cases
from brainseg.runs.differences import pooled

FOLD = "data.fold"


def cases_of(runs: Sequence[Run], metric: str) -> list[Cases]:
    """The metric of each case, for each run; runs that differ in their fold alone are one.

    Runs that have cases in common stay apart: they are no folds of one data set.
    """
    found: list[Cases] = []
    for places in pooled([run.settings for run in runs], (FOLD,)):
        own = [runs[place].scores(metric) for place in places]
        together = {case: score for scores in own for case, score in scores.items()}
        found += [together] if len(together) == sum(map(len, own)) else own
    return found
