"""Figures about class probabilities: the reliability diagram and ROC curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainseg.metrics import reliability, roc_auc
from brainseg.reporting.canvas import LINE_COLORS, new_figure, spoken

Probabilities = NDArray[np.floating[Any]]
Truth = NDArray[np.integer[Any]]


def reliability_figure(probabilities: Probabilities, truth: Truth) -> Figure:
    """The reliability diagram: how often guesses are right, by their certainty.

    Below the diagonal the network is too sure of itself.

    Args:
        probabilities: (N, K).
        truth: (N,) class indices.
    """
    share, certainty, accuracy = (
        np.array(values) for values in zip(*reliability(probabilities, truth), strict=True)
    )
    figure = new_figure(4.4, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], ":", color="#80868B")
    axes.plot(certainty, accuracy, "-", color=LINE_COLORS[0], linewidth=1)
    axes.scatter(certainty, accuracy, s=20 + 400 * share, color=LINE_COLORS[0], alpha=0.6)
    axes.set_xlabel("mean certainty (larger dots: more slices)")
    axes.set_ylabel("share that is right")
    return _unit_square(figure)


def roc_figure(probabilities: Probabilities, truth: Truth, classes: Sequence[str]) -> Figure:
    """ROC curves: true against false positives at every threshold, each class against the rest."""
    figure = new_figure(4.4, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for k, name in enumerate(classes):
        positive = truth == k
        if positive.all() or not positive.any():
            continue
        false, true = roc_points(probabilities[:, k], positive)
        area = roc_auc(probabilities[:, k], positive)
        axes.plot(
            false, true, color=LINE_COLORS[k % len(LINE_COLORS)], label=f"{spoken(name)}, area {area:.4f}"
        )
    axes.set_xlabel("false positives, share of the others")
    axes.set_ylabel("true positives, share of the class")
    if axes.lines:
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    return _unit_square(figure)


def roc_points(
    score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shares of false and of true positives at every threshold, the highest first; ties are one point."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    true = np.r_[0, np.cumsum(positive[order])[last_of_tie]] / positive.sum()
    false = np.r_[0, np.cumsum(~positive[order])[last_of_tie]] / (~positive).sum()
    return false, true


def _unit_square(figure: Figure) -> Figure:
    axes = figure.axes[0]
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
