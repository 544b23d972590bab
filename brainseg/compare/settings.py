"""Runs that differ in nothing but their seed, together: one setting with its score and its intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from brainseg.compare.folds import cases_of
from brainseg.compare.runs import Run, State
from brainseg.config.errors import UserError
from brainseg.metrics.cases import Interval, mean_interval, paired_difference
from brainseg.runs.differences import SEED, differing, pooled


@dataclass(frozen=True)
class Setting:
    """One setting and its runs.

    Attributes:
        values: Of the keys in which the settings differ.
        runs: One for each seed.
        score: Of the finished runs; None where none has it. Its ends are None where no cases are known.
        to_best: The score minus that of the best setting, where both have the same cases.
    """

    values: Mapping[str, Any]
    runs: Sequence[Run]
    score: Interval | None
    to_best: Interval | None = None

    @property
    def used(self) -> list[Run]:
        """The runs that count."""
        return [run for run in self.runs if run.state is State.done]

    @property
    def name(self) -> str:
        """What tells it from the others, as on the command line."""
        said = " ".join(f"{key}={brief(value)}" for key, value in self.values.items())
        return said or self.runs[0].folder.name

    @property
    def seconds(self) -> float | None:
        return _mean([run.summary.seconds for run in self.used if run.summary])

    @property
    def memory_mb(self) -> float | None:
        """The most memory of any of its runs: on the GPU, where there was one."""
        held = [run.summary.gpu_memory_mb or run.summary.peak_memory_mb for run in self.used if run.summary]
        return max(held, default=None)

    @property
    def parameters(self) -> int | None:
        return next((run.summary.parameters for run in self.runs if run.summary), None)


@dataclass(frozen=True)
class Comparison:
    """Settings, the best first; those without a score come last."""

    task: str
    metric: str  # as "dice/mean"
    mode: str
    keys: Sequence[str]  # in which the settings differ
    settings: Sequence[Setting]
    remarks: Sequence[str]

    @property
    def runs(self) -> list[Run]:
        return [run for setting in self.settings for run in setting.runs]


def compared(
    runs: Sequence[Run], metric: str | None = None, over: Sequence[str] = (SEED,), remarks: Sequence[str] = ()
) -> Comparison:
    """Runs of one task side by side.

    Args:
        runs: At least one.
        metric: Of the validation part, as "dice/whole_tumor"; None: the one that chose the checkpoints.
        over: The keys that runs of one setting may differ in.
        remarks: What was found while they were read.

    Raises:
        UserError: No run has the metric, or the runs chose their checkpoints by several.
    """
    metric = _metric_of(runs) if metric is None else metric.removeprefix("val/")
    mode = next((run.mode for run in runs if run.monitor == f"val/{metric}"), _mode_of(metric))
    settings = [run.settings for run in runs]
    keys = [key for key in differing(settings) if key not in over]
    groups = [[runs[place] for place in places] for places in pooled(settings, over)]
    found = [_setting(group, keys, metric) for group in groups]
    if all(one.score is None for one in found) and any(one.used for one in found):
        there = sorted({name.removeprefix("val/") for run in runs for name in run.curves if "val/" in name})
        raise UserError(f"no run has {metric} of its validation part; there is {', '.join(there) or 'none'}")
    ranked = sorted(found, key=lambda one: _place(one, mode))
    best = ranked[0] if ranked[0].score is not None else None
    ranked = [_beside(one, best, metric) for one in ranked]
    return Comparison(runs[0].task, metric, mode, keys, ranked, [*remarks, *_remarks(ranked, metric)])


def shown(value: Any) -> str:
    """A value as on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def brief(value: Any) -> str:
    """The same for a table or a label: a number that a search has drawn has four digits."""
    return f"{value:.4g}" if isinstance(value, float) else shown(value)


def _metric_of(runs: Sequence[Run]) -> str:
    monitors = {run.monitor: run.folder for run in runs}
    if len(monitors) > 1:
        raise UserError(
            f"the runs chose their checkpoints by {' and '.join(monitors)}; say by --metric what is compared"
        )
    return next(iter(monitors)).removeprefix("val/")


def _mode_of(metric: str) -> str:
    return "min" if "loss" in metric else "max"


def _setting(runs: Sequence[Run], keys: Sequence[str], metric: str) -> Setting:
    values = {key: runs[0].settings.get(key) for key in keys}
    done = [run for run in runs if run.state is State.done]
    if done and all(run.scores(metric) for run in done):
        return Setting(values, runs, mean_interval(cases_of(done, metric), _subjects(done)))
    points = [value for run in done if (value := run.value(metric)) is not None]
    score = Interval(fmean(points), None, None, 0) if points and len(points) == len(done) else None
    return Setting(values, runs, score)


def _beside(setting: Setting, best: Setting | None, metric: str) -> Setting:
    if best is None or setting is best or setting.score is None:
        return setting
    own, theirs = (cases_of(one.used, metric) for one in (setting, best))
    difference = paired_difference(own, theirs, _subjects(setting.used))
    return Setting(setting.values, setting.runs, setting.score, difference)


def _place(setting: Setting, mode: str) -> tuple[bool, float]:
    if setting.score is None:
        return True, 0.0
    return False, setting.score.value * (1 if mode == "min" else -1)


def _subjects(runs: Sequence[Run]) -> dict[str, str]:
    return {case: subject for run in runs for case, subject in run.subjects.items()}


def _remarks(settings: Sequence[Setting], metric: str) -> list[str]:
    """What the figures do not say by themselves."""
    said = []
    without = [run for one in settings for run in one.used if not run.scores(metric)]
    if without:
        said.append(
            f"{len(without)} runs have no {metric} of single cases, so their settings have no interval: "
            f"{', '.join(run.folder.name for run in without[:3])}"
        )
    others = [one for one in settings[1:] if one.score and one.score.low is not None and one.to_best is None]
    if others and settings[0].score and settings[0].score.low is not None:
        said.append(
            f"{len(others)} settings have other validation cases than the best one, so there is no paired "
            "difference: train with the same split, for instance by data.seed=0"
        )
    return said


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
