"""Figures 7, 8, 9, 12 and 13 of the student report, from our own runs."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainseg.reporting.canvas import LINE_COLORS, new_figure
from brainseg.reporting.curves import curves_figure, family
from brainseg.study.grid.cell_runs import CellRun

OURS, THEIRS = LINE_COLORS[0], LINE_COLORS[1]
Groups = Mapping[str, Sequence[float]]  # level, such as a backbone -> accuracies of its cells


def box_figure(title: str, ours: Groups, theirs: Groups) -> Figure:
    """Box plots of accuracies: for each level ours beside the student report's, with a point for each cell.

    Boxes reach from quartile to quartile, whiskers from the least value to the greatest.
    """
    levels = list(dict.fromkeys([*theirs, *ours]))
    figure = new_figure(max(5.0, 1.5 * len(levels) + 1.2), 3.8)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for shift, name, color, groups in ((-0.19, "ours", OURS, ours), (0.19, "student report", THEIRS, theirs)):
        drawn = {place + shift: groups[level] for place, level in enumerate(levels) if groups.get(level)}
        _draw_boxes(axes, drawn, color)
        axes.plot([], [], "s", color=color, label=f"{name} ({sum(map(len, drawn.values()))} cells)")
    axes.set_xticks(range(len(levels)), levels)
    axes.set_xlim(-0.6, len(levels) - 0.4)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("validation accuracy, last epoch")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    return figure


def _draw_boxes(axes: Axes, groups: Mapping[float, Sequence[float]], color: str) -> None:
    if not groups:
        return
    axes.boxplot(
        list(groups.values()),
        positions=list(groups),
        widths=0.3,
        whis=(0, 100),
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": color, "alpha": 0.25, "edgecolor": color},
        medianprops={"color": color, "linewidth": 2},
        whiskerprops={"color": color},
        capprops={"color": color},
    )
    for place, values in groups.items():
        axes.plot([place] * len(values), values, ".", color=color, markersize=5, alpha=0.8)


def run_figure(run: CellRun) -> Figure | None:
    """Loss and accuracy by epoch, of training and validation; None before the end of the first epoch."""
    curves = {name: curve for name, curve in run.curves.items() if family(name) in ("loss", "accuracy")}
    return curves_figure(curves, monitor="val/accuracy", mode="max") if curves else None
