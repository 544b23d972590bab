"""Scores with their intervals, and the curves of all runs over each other."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainseg.compare.settings import Comparison, Setting
from brainseg.reporting.canvas import LINE_COLORS, new_figure, spoken

GREY = "#B0B6BC"
MOST_NAMED = len(LINE_COLORS)  # of settings that have a colour of their own; the others are grey
MOST_DRAWN = 40  # of settings in the figure of the scores
LONGEST = 48  # characters of a setting's name in a figure


def colors(comparison: Comparison) -> list[str]:
    """A colour for each setting; those behind the first few are grey."""
    n = len(comparison.settings)
    return [LINE_COLORS[i] if i < MOST_NAMED else GREY for i in range(n)]


def scores_figure(comparison: Comparison) -> Figure | None:
    """Each setting's score with its interval, and a point for each run; None where no setting has one."""
    found = [one for one in comparison.settings if one.score is not None][:MOST_DRAWN]
    if not found:
        return None
    figure = new_figure(9.2, 1.3 + 0.34 * len(found))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for place, (setting, color) in enumerate(zip(found, colors(comparison), strict=False)):
        assert setting.score is not None
        score, values = setting.score, [run.value(comparison.metric) for run in setting.used]
        points = [value for value in values if value is not None]
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [place, place], color=color, linewidth=2.2, alpha=0.75)
        if len(points) > 1:
            axes.plot(points, [place] * len(points), "|", color=color, markersize=9)
        axes.plot(score.value, place, "o", color=color, markersize=6)
    axes.set_yticks(range(len(found)), [_short(one.name) for one in found], fontsize=9)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel(f"{spoken(comparison.metric)} of the validation part, 95 %")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def curves_figure(comparison: Comparison) -> Figure | None:
    """The compared metric and both losses by epoch: a line for each run, in the colour of its setting."""
    names = [f"val/{comparison.metric}", "val/loss", "train/loss"]
    names = [name for name in dict.fromkeys(names) if any(name in run.curves for run in comparison.runs)]
    if not names:
        return None
    figure = new_figure(4.4 * len(names), 3.9 + 0.17 * min(len(comparison.settings), MOST_NAMED))
    figure.set_layout_engine("constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), place)
        for setting, color in reversed(list(zip(comparison.settings, colors(comparison), strict=True))):
            _draw(axes, setting, name, color)
        _dress(axes, name)
    lines, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines[::-1], labels[::-1], loc="outside lower left", fontsize=8, frameon=False)
    return figure


def _draw(axes: Axes, setting: Setting, name: str, color: str) -> None:
    runs = [run for run in setting.runs if name in run.curves]
    for number, run in enumerate(runs):
        curve = run.curves[name]
        label = _short(setting.name) if number == 0 and color != GREY else None
        marker = "o" if len(curve) <= 40 else None  # a single epoch would be no line
        axes.plot(
            list(curve),
            list(curve.values()),
            color=color,
            marker=marker,
            markersize=2.5,
            linewidth=1.3,
            alpha=0.85,
            label=label,
        )


def _dress(axes: Axes, name: str) -> None:
    axes.set_title(spoken(name), fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if "loss" in name and (values > 0).all() and values.max() > 50 * values.min():
        axes.set_yscale("log")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
