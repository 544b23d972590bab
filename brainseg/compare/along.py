"""Settings along a key with numbers, as data.patients: a line for each of what else differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from brainseg.compare.folds import cases_of
from brainseg.compare.runs import Run
from brainseg.compare.settings import Comparison, Setting, brief
from brainseg.config.errors import DataError, UserError
from brainseg.metrics.cases import Cases, Interval, paired_difference
from brainseg.reporting.canvas import LINE_COLORS, new_figure, spoken
from brainseg.runs.config import SPLIT, read_split

NULL_IS_ALL = ("data.patients", "data.limit")  # null takes every one of the training part
NULL = "null"


@dataclass(frozen=True)
class Point:
    """A setting on a line.

    Attributes:
        x: Where it stands.
        said: The key's value; "all 24" for null where that means all of 24.
        score: Its mean with its interval.
        to_first: That minus the first line's, on the cases that both have.
    """

    x: float
    said: str
    score: Interval
    to_first: Interval | None = None


@dataclass(frozen=True)
class Line:
    """What else differs, in words, and its points from left to right."""

    name: str
    points: Sequence[Point]


def lines_along(comparison: Comparison, key: str) -> list[Line]:
    """A line for each combination of the other keys' values, that with most nulls (start_from=null) first.

    Raises:
        UserError: The runs do not differ in the key, or it has a value that is no number.
    """
    if key not in comparison.keys:
        raise UserError(
            f"the runs do not differ in {key}, but in {', '.join(comparison.keys) or 'nothing'}; give one of "
            "these to --along"
        )
    others = [one for one in comparison.keys if one != key]
    groups: dict[str, list[Setting]] = {}
    for setting in comparison.settings:
        if setting.score is not None:
            groups.setdefault(_name(setting, others), []).append(setting)
    names = sorted(groups, key=lambda name: (-name.count(f"={NULL}"), name))
    first = {brief(one.values[key]): one for one in (groups[names[0]] if names else [])}
    said = _briefly(names)
    return [_line(said[name], groups[name], first, comparison.metric, key) for name in names]


def along_figure(lines: Sequence[Line], key: str, metric: str) -> Figure:
    """The score by the key's value: a line each, with intervals of 95 %."""
    figure = new_figure(6.4, 3.9)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    width = max((point.x for line in lines for point in line.points), default=1.0)
    for place, line in enumerate(lines):
        color = LINE_COLORS[place % len(LINE_COLORS)]
        shift = (place - (len(lines) - 1) / 2) * 0.012 * width
        x = [point.x + shift for point in line.points]
        axes.plot(x, [point.score.value for point in line.points], "o-", color=color, label=line.name)
        for at, point in zip(x, line.points, strict=True):
            if point.score.low is not None and point.score.high is not None:
                axes.plot([at, at], [point.score.low, point.score.high], color=color, alpha=0.6, linewidth=2)
    ticks = {point.x: point.said for line in lines for point in line.points}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlabel(key)
    axes.set_ylabel(f"{spoken(metric)}, 95 %")
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False)
    return figure


def _name(setting: Setting, keys: Sequence[str]) -> str:
    """What tells a line from others."""
    return " ".join(f"{key}={brief(setting.values[key])}" for key in keys) or "all runs"


def _briefly(names: Sequence[str]) -> dict[str, str]:
    """The names with checkpoints by their run alone, where that still tells all of them apart."""
    short = {name: " ".join(map(_short, name.split(" "))) for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _short(word: str) -> str:
    key, _, value = word.partition("=")
    path = Path(value)
    if path.suffix != ".ckpt":
        return word
    run = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return f"{key}={run.name}/{path.name}"


def _line(name: str, settings: Sequence[Setting], first: dict[str, Setting], metric: str, key: str) -> Line:
    points = [_point(one, first.get(brief(one.values[key])), metric, key) for one in settings]
    return Line(name, sorted(points, key=lambda point: point.x))


def _point(setting: Setting, first: Setting | None, metric: str, key: str) -> Point:
    assert setting.score is not None
    x, said = _place(setting, key)
    difference = None if first is None or first is setting else _difference(setting, first, metric)
    return Point(x, said, setting.score, difference)


def _place(setting: Setting, key: str) -> tuple[float, str]:
    value = setting.values[key]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), brief(value)
    if value is None and key in NULL_IS_ALL:
        n = _trained_on(setting.used)
        return n, f"all ({n:g})"
    raise UserError(f"{key} is {brief(value)} in some runs, and --along needs numbers; leave these runs out")


def _trained_on(runs: Sequence[Run]) -> float:
    """How many a run was trained on, the median over runs."""
    counts = []
    for run in runs:
        try:
            counts.append(len(read_split(run.folder / SPLIT)["train"]))
        except OSError as error:
            raise DataError(f"{run.folder / SPLIT}: cannot be read ({error.strerror}); restore it") from error
    return float(median(counts))


def _difference(setting: Setting, first: Setting, metric: str) -> Interval | None:
    """On the cases that all of their runs have."""
    ours, theirs = cases_of(setting.used, metric), cases_of(first.used, metric)
    every = [set(cases) for cases in (*ours, *theirs)]
    shared = set.intersection(*every) if every else set()
    subjects = {case: subject for run in setting.used for case, subject in run.subjects.items()}
    return paired_difference(_only(ours, shared), _only(theirs, shared), subjects)


def _only(runs: Sequence[Cases], names: set[str]) -> list[Cases]:
    return [{case: score for case, score in cases.items() if case in names} for cases in runs]
