"""The three pictures of a set of runs: a heat map of a grid, box plots of levels, curves over each other."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainseg.reporting.canvas import LINE_COLORS, new_figure

Cells = Mapping[tuple[str, str], Sequence[float]]  # (row, column) -> the scores of its runs
Levels = Mapping[str, Sequence[float]]  # a value of a key -> the scores of the runs that have it
Curve = Mapping[int, float]  # epoch -> value


def heat_map_figure(cells: Cells, *, row: str, column: str, metric: str, lower_is_better: bool) -> Figure:
    """The mean score of each cell of a grid, in figures and in colour; darker is better.

    A cell without a run stays white. Beside a mean of several runs stands their number.

    Args:
        cells: The scores; rows and columns are drawn in the order in which they come.
        row: What the rows are values of.
        column: What the columns are values of.
        metric: The name of the score.
        lower_is_better: Whether it is a loss.
    """
    rows = list(dict.fromkeys(one for one, _ in cells))
    columns = list(dict.fromkeys(one for _, one in cells))
    means = np.full((len(rows), len(columns)), np.nan)
    for (one, other), scores in cells.items():
        means[rows.index(one), columns.index(other)] = np.mean(scores)
    figure = new_figure(max(4.5, 1.1 * len(columns) + 2.5), max(2.6, 0.55 * len(rows) + 1.8))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(means, cmap="viridis" if lower_is_better else "viridis_r", aspect="auto")
    middle = (np.nanmin(means) + np.nanmax(means)) / 2
    for (one, other), scores in cells.items():
        mean = float(np.mean(scores))
        dark = mean < middle if lower_is_better else mean > middle
        text = f"{mean:.4g}" + (f"\n({len(scores)} runs)" if len(scores) > 1 else "")
        place = columns.index(other), rows.index(one)
        axes.text(*place, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(columns)), columns, rotation=30 if len(columns) > 4 else 0, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set_xlabel(column)
    axes.set_ylabel(row)
    figure.colorbar(picture, ax=axes, label=metric)
    return figure


def level_boxes_figure(levels: Mapping[str, Levels], *, metric: str) -> Figure:
    """For each key box plots of its levels, with a point for each run.

    Boxes reach from quartile to quartile, whiskers from the least value to the greatest.

    Args:
        levels: By key, the scores of each of its values.
        metric: The name of the score.
    """
    across = min(2, len(levels))
    down = math.ceil(len(levels) / across)
    figure = new_figure(5.2 * across, 3.4 * down)
    figure.set_layout_engine("constrained")
    first: Axes | None = None
    for place, (key, groups) in enumerate(levels.items(), start=1):
        axes = figure.add_subplot(down, across, place, sharey=first)
        first = first or axes
        axes.boxplot(
            list(groups.values()),
            widths=0.5,
            whis=(0, 100),
            patch_artist=True,
            boxprops={"facecolor": LINE_COLORS[0], "alpha": 0.25},
            medianprops={"color": LINE_COLORS[0], "linewidth": 2},
        )
        for x, scores in enumerate(groups.values(), start=1):
            axes.plot([x] * len(scores), scores, ".", color=LINE_COLORS[0], markersize=5, alpha=0.8)
        names = [f"{level}\n({len(scores)})" for level, scores in groups.items()]
        axes.set_xticks(range(1, len(groups) + 1), names, fontsize=8, rotation=30 if len(groups) > 5 else 0)
        axes.set_title(key, fontsize=10)
        axes.set_ylabel(metric)
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def runs_curves_figure(curves: Mapping[str, Curve], *, metric: str, lower_is_better: bool) -> Figure:
    """The curve of each run over each other, with a star at the best epoch of each.

    Args:
        curves: By run; those of one colour have lines of other kinds.
        metric: What the curves are of.
        lower_is_better: Whether it is a loss.
    """
    figure = new_figure(8.5, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for index, (name, curve) in enumerate(curves.items()):
        color = LINE_COLORS[index % len(LINE_COLORS)]
        line = ("-", "--", ":", "-.")[index // len(LINE_COLORS) % 4]
        axes.plot(list(curve), list(curve.values()), line, color=color, label=name, marker="o", markersize=2)
        best = min(curve, key=lambda epoch: (curve[epoch] * (1 if lower_is_better else -1), epoch))
        axes.plot(best, curve[best], "*", color=color, markersize=10)
    axes.set_xlabel("epoch")
    axes.set_ylabel(metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, frameon=False, loc="outside right upper")
    return figure
