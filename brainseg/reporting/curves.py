"""Training curves from the metrics.csv of Lightning's CSVLogger."""

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainseg.config.errors import UserError
from brainseg.reporting.canvas import LINE_COLORS, new_figure, save, spoken

Curve = dict[int, float]  # epoch -> value
Curves = dict[str, Curve]  # name of the metric, e.g. val/dice/whole_tumor -> its curve

UNITS = {"mm", "ml", "s", "mb"}  # hd95_mm becomes "hd95 (mm)"
COLUMNS = 3


def read_curves(metrics_csv: Path) -> Curves:
    """A curve for each metric of training and validation. Where an epoch has several values, it has the mean.

    The file has a row for each time that anything was logged, and gaps in all other columns. Rows with the
    learning rate have no epoch; they belong to that of the next row that has one.

    Raises:
        UserError: The file is not there, or holds no row with an epoch.
    """
    if not metrics_csv.is_file():
        raise UserError(f"{metrics_csv} is missing; train with logger=csv, which writes it")
    with metrics_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, epoch in zip(rows, _epochs(rows, metrics_csv), strict=True):
        for name, value in _metrics(row).items():
            values[name][epoch].append(value)
    return {name: {e: sum(v) / len(v) for e, v in sorted(at.items())} for name, at in sorted(values.items())}


def _epochs(rows: list[dict[str, str]], metrics_csv: Path) -> list[int]:
    known = [int(row["epoch"]) if row.get("epoch") else None for row in rows]
    last = next((epoch for epoch in reversed(known) if epoch is not None), None)
    if last is None:
        raise UserError(
            f"{metrics_csv} has no row with an epoch; the run was probably stopped before its first one"
        )
    filled = []
    for epoch in reversed(known):
        last = epoch if epoch is not None else last
        filled.append(last)
    return filled[::-1]


def _metrics(row: dict[str, str]) -> dict[str, float]:
    """The finite values of a row by name, without those of the test, which has no epochs."""
    found = {}
    for column, text in row.items():
        if column in ("epoch", "step") or column.startswith("test/") or not text:
            continue
        if math.isfinite(value := float(text)):
            found[_name(column)] = value
    return found


def _name(column: str) -> str:
    """Lightning writes train/loss_step and train/loss_epoch for what is logged both ways, and lr-Adam."""
    if column == "lr" or column.startswith("lr-"):
        return "learning_rate"
    return column.removesuffix("_step").removesuffix("_epoch")


def family(name: str) -> str:
    """The name of the axes that show a metric: val/dice/whole_tumor -> dice, train/loss -> loss."""
    parts = name.split("/")
    return parts[1] if parts[0] in ("train", "val") and len(parts) > 1 else parts[0]


def best_epoch(curves: Curves, monitor: str, mode: str) -> int | None:
    """The first epoch with the best value, or None if the metric was never logged."""
    curve = curves.get(monitor)
    if not curve:
        return None
    sign = 1 if mode == "min" else -1
    return min(curve, key=lambda epoch: (sign * curve[epoch], epoch))


def draw_curves(
    metrics_csv: Path, png: Path, *, monitor: str = "val/loss", mode: Literal["min", "max"] = "min"
) -> None:
    """Write what `curves_figure` draws of a run's metrics.csv to a PNG file.

    Raises:
        UserError: As of `read_curves`.
    """
    save(curves_figure(read_curves(metrics_csv), monitor=monitor, mode=mode), png)


def curves_figure(curves: Curves, *, monitor: str, mode: Literal["min", "max"]) -> Figure:
    """The losses of training and validation in one plot, each other family of metrics in its own.

    Args:
        curves: One or more, none of them empty.
        monitor: The metric that decides which epoch is best. That epoch is marked in every plot.
        mode: Whether the best value is the least or the greatest.
    """
    families: dict[str, list[str]] = defaultdict(list)
    for name in sorted(
        curves, key=lambda name: (family(name) == "learning_rate", family(name) != "loss", name)
    ):
        families[family(name)].append(name)
    columns = min(COLUMNS, len(families))
    rows = math.ceil(len(families) / columns)
    figure = new_figure(4.6 * columns, 3.3 * rows)
    figure.set_layout_engine("constrained")
    best = best_epoch(curves, monitor, mode)
    last = max(epoch for curve in curves.values() for epoch in curve)
    for place, (title, names) in enumerate(families.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _draw_family(axes, title, {name: curves[name] for name in names}, last, best)
        if best is not None and monitor in names:
            value = curves[monitor][best]
            axes.plot(best, value, "*", color="#202124", markersize=11, zorder=5)
            axes.set_title(f"{_titled(title)}: best {value:.4g} in epoch {best}", fontsize=11)
    return figure


def _draw_family(axes: Axes, title: str, curves: Curves, last: int, best: int | None) -> None:
    for index, (name, curve) in enumerate(curves.items()):
        marker = "o" if len(curve) <= 40 else None  # a single epoch would be no line
        color = LINE_COLORS[index % len(LINE_COLORS)]
        line = "--" if name.startswith("train/") and len(curves) > 1 else "-"
        axes.plot(
            list(curve),
            list(curve.values()),
            line,
            label=_label(name),
            color=color,
            marker=marker,
            markersize=3,
        )
    if best is not None:
        axes.axvline(best, color="#80868B", linewidth=0.9, linestyle=":", zorder=0)
    axes.set_title(_titled(title), fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel(_titled(title))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(-0.5, last + 0.5)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if title == "loss" and all(value > 0 for curve in curves.values() for value in curve.values()):
        axes.set_yscale("log" if _spans_decades(curves) else "linear")
    if len(curves) > 1 or "/" in next(iter(curves)):
        axes.legend(fontsize=8, frameon=False)


def _spans_decades(curves: Curves) -> bool:
    values = [value for curve in curves.values() for value in curve.values()]
    return max(values) > 50 * min(values)


def _label(name: str) -> str:
    stage, *rest = name.split("/")
    return spoken(" ".join([stage, *rest[1:]])) if rest else spoken(name)


def _titled(title: str) -> str:
    stem, _, unit = title.rpartition("_")
    return f"{spoken(stem)} ({unit})" if unit in UNITS and stem else spoken(title)
