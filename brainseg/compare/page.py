"""`brainseg compare`: compare.html, compare.md, compare.csv and compare_runs.csv."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainseg.compare.along import Line, along_figure, lines_along
from brainseg.compare.figures import MOST_NAMED, curves_figure, scores_figure
from brainseg.compare.runs import Run, State, read_runs
from brainseg.compare.settings import Comparison, Setting, brief, compared, shown
from brainseg.files.atomic import writing
from brainseg.metrics.cases import RESAMPLES, Interval
from brainseg.reporting.canvas import save
from brainseg.reporting.page import inline_figure
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    Table,
    WrittenPage,
    number,
    table_of,
    write_sections,
)
from brainseg.runs.differences import SEED

RULES = (
    "A row is a setting: the runs that differ in nothing but their seed. Every key in which the settings "
    "differ has a column. The folds of a cross-validation, where --over names data.fold, are one run: every "
    "case once.",
    "The score is that of the validation part in the epoch of the best checkpoint, which these cases have "
    "chosen. It is a little too good for every setting, and most for the best one.",
    f"Intervals have 95 %, from {RESAMPLES} resamples of the subjects, each with all of its cases. Where a "
    "setting has several runs, these are drawn too, but two or three of them still give an interval that is "
    "too narrow. The chance of the training of a single run is not in it at all.",
    "The difference to the best is paired, where both settings have the same validation cases: the same "
    "subjects are drawn for both, which leaves out what makes a case easy or hard for any model. An interval "
    "without 0 in it is a difference beyond the chance of the cases.",
    "Runs that are not done count in no score. Pruned runs were ended early by a search.",
)


def write_comparison(
    folders: Sequence[Path],
    output: Path | None = None,
    *,
    metric: str | None = None,
    over: Sequence[str] = (SEED,),
    along: str | None = None,
) -> WrittenPage:
    """Compare all runs at or below some folders.

    Args:
        folders: Runs, or sweeps of any sweeper and launcher.
        output: Where the files go; None: the first folder's report/.
        metric: Of the validation part; None: the one that chose the checkpoints.
        over: The keys that runs of one setting may differ in.
        along: A key with numbers: the page, and along.png, show the score by its value. None: none.

    Raises:
        UserError: As of `read_runs`, `compared` and `lines_along`.
    """
    runs, remarks = read_runs(folders)
    comparison = compared(runs, metric, over, remarks)
    lines = [] if along is None else lines_along(comparison, along)
    output = folders[0] / "report" if output is None else output
    title = f"Comparison: {', '.join(folder.resolve().name for folder in folders[:3])}"
    title += f" and {len(folders) - 3} more" if len(folders) > 3 else ""
    said, *others = sections_of(comparison)
    curves = [] if along is None else [_along(comparison, lines, along)]
    page = write_sections(output, "compare", title, [said, *curves, *others])
    if along is not None:
        save(along_figure(lines, along, comparison.metric), output / "along.png")
    _write_csv(output / "compare.csv", [_setting_row(comparison, one) for one in comparison.settings])
    _write_csv(output / "compare_runs.csv", [_run_values(comparison, run) for run in comparison.runs])
    return WrittenPage(tuple(_said(comparison)), page)


def sections_of(comparison: Comparison) -> list[Section]:
    """All of the page below its title."""
    return [
        Section(paragraphs=_said(comparison), points=comparison.remarks),
        _settings(comparison),
        _curves(comparison),
        Section("Runs", tables=[_runs_table(comparison)]),
        Section("How the numbers are made", points=RULES),
    ]


def _along(comparison: Comparison, lines: Sequence[Line], key: str) -> Section:
    """The score by a key's value: a row for each value, a column for each line."""
    places = dict(sorted({point.x: point.said for line in lines for point in line.points}.items()))
    rows: list[list[str | Entry]] = [[said, *(_at(line, x) for line in lines)] for x, said in places.items()]
    figure = along_figure(lines, key, comparison.metric)
    first = f" Differences are to {lines[0].name}, on the same subjects." if len(lines) > 1 else ""
    counts = {point.score.cases for line in lines for point in line.points}
    uneven = f"Points are of {min(counts)} to {max(counts)} cases: only differences can be compared"
    return Section(
        f"{comparison.metric} by {key}",
        uneven if len(counts) > 1 else "",
        paragraphs=[f"Intervals have 95 %, from resamples of the subjects.{first}"],
        tables=[table_of(f"By {key}", (key, *(line.name for line in lines)), rows)],
        pictures=[Picture(inline_figure(figure), "Scores with intervals of 95 %")],
    )


def _at(line: Line, x: float) -> Entry:
    point = next((one for one in line.points if one.x == x), None)
    if point is None:
        return Entry(NOTHING)
    beside, difference = _ends(point.score), point.to_first
    if difference is not None:
        beside += f"; {difference.value:+.4f} ({_ends(difference, signed=True)})"
    return Entry(number(point.score.value), beside)


def _settings(comparison: Comparison) -> Section:
    figure = scores_figure(comparison)
    caption = "Scores with intervals of 95 %; a stroke for each run where there are several"
    pictures = [] if figure is None else [Picture(inline_figure(figure), caption)]
    return Section("Settings", tables=[_settings_table(comparison)], pictures=pictures)


def _curves(comparison: Comparison) -> Section:
    figure = curves_figure(comparison)
    if figure is None:
        return Section("Curves", paragraphs=["No run has finished an epoch yet."])
    caption = "A line for each run, in the colour of its setting"
    if len(comparison.settings) > MOST_NAMED:
        caption += f"; the settings behind the first {MOST_NAMED} are grey"
    return Section("Curves", pictures=[Picture(inline_figure(figure), caption)])


def _said(comparison: Comparison) -> list[str]:
    """How many runs there are, how far they have come, and which setting is the best."""
    runs = comparison.runs
    states = [(state, sum(run.state is state for run in runs)) for state in State]
    counted = ", ".join(f"{n} {state}" for state, n in states if n)
    said = [f"{len(runs)} runs of model={comparison.task} in {len(comparison.settings)} settings: {counted}"]
    best = comparison.settings[0]
    if best.score is None:
        return [*said, f"no finished run has {comparison.metric} yet"]
    alike = [one for one in comparison.settings[1:] if _is_alike(one)]
    line = f"best by {comparison.metric}: {_bounded(best.score)}, {best.name}"
    if any(one.to_best for one in comparison.settings):
        line += f"; {len(alike) or 'no'} other{'s' * (len(alike) != 1)} cannot be told from it"
    return [*said, line]


def _is_alike(setting: Setting) -> bool:
    """Whether 0 lies in the interval of the paired difference to the best."""
    one = setting.to_best
    return one is not None and one.low is not None and one.high is not None and one.low <= 0 <= one.high


def _settings_table(comparison: Comparison) -> Table:
    header = [comparison.metric, "difference to the best", *comparison.keys, "runs", "seconds", "memory (MB)"]
    rows = [_row(comparison, setting) for setting in comparison.settings]
    return table_of("The best first", [*header, "parameters"], rows)


def _row(comparison: Comparison, setting: Setting) -> list[str | Entry]:
    score, best = setting.score, setting is comparison.settings[0] and setting.score is not None
    n, used = len(setting.runs), len(setting.used)
    return [
        Entry(number(score.value if score else None), _ends(score), "best" if best else ""),
        NOTHING if best else _difference(setting),
        *(brief(setting.values[key]) for key in comparison.keys),
        Entry(str(n) if used == n else f"{used} of {n}", mark="" if used == n else "bad"),
        NOTHING if setting.seconds is None else f"{setting.seconds:.0f}",
        NOTHING if setting.memory_mb is None else f"{setting.memory_mb:.0f}",
        NOTHING if setting.parameters is None else f"{setting.parameters:,}",
    ]


def _difference(setting: Setting) -> Entry:
    one = setting.to_best
    if one is None:
        return Entry(NOTHING)
    return Entry(f"{one.value:+.4f}", _ends(one, signed=True), "" if _is_alike(setting) else "bad")


def _ends(interval: Interval | None, *, signed: bool = False) -> str:
    if interval is None or interval.low is None:
        return ""
    form = "{:+.4f} to {:+.4f}" if signed else "{:.4f} to {:.4f}"
    return form.format(interval.low, interval.high)


def _bounded(interval: Interval) -> str:
    ends = _ends(interval)
    return f"{interval.value:.4f}" + (f" ({ends}; {interval.cases} cases)" if ends else " (no interval)")


def _runs_table(comparison: Comparison) -> Table:
    header = ("run", "setting", "seed", "state", comparison.metric, "best epoch", "epochs", "seconds")
    rows: list[list[str | Entry]] = []
    for setting in comparison.settings:
        for run in setting.runs:
            rows.append([
                run.folder.resolve().name,
                setting.name,
                shown(run.settings.get(SEED)),
                Entry(run.state.value, mark="" if run.state is State.done else "bad"),
                number(run.value(comparison.metric)),
                NOTHING if run.best_epoch is None else str(run.best_epoch),
                f"{run.trained} of {run.epochs}",
                NOTHING if run.summary is None else f"{run.summary.seconds:.0f}",
            ])  # fmt: skip
    return table_of("All runs", header, rows)


def _setting_row(comparison: Comparison, setting: Setting) -> dict[str, Any]:
    score, difference = setting.score, setting.to_best
    return {
        **{key: shown(setting.values[key]) for key in comparison.keys},
        "metric": comparison.metric,
        **_columns("score", score),
        "cases": score.cases if score and score.cases else None,
        **_columns("to_best", difference),
        "runs": len(setting.runs),
        "runs_done": len(setting.used),
        "seconds": setting.seconds,
        "memory_mb": setting.memory_mb,
        "parameters": setting.parameters,
    }


def _run_values(comparison: Comparison, run: Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "run": str(run.folder),
        "state": run.state.value,
        **{key: shown(run.settings.get(key)) for key in (*comparison.keys, SEED)},
        comparison.metric: run.value(comparison.metric),
        "best_epoch": run.best_epoch,
        "epochs": run.trained,
        "seconds": summary.seconds if summary else None,
        "peak_memory_mb": summary.peak_memory_mb if summary else None,
        "gpu_memory_mb": summary.gpu_memory_mb if summary else None,
        "parameters": summary.parameters if summary else None,
    }


def _columns(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
