"""The confusion matrix as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from brainseg.reporting.canvas import new_figure, save, spoken


def draw_confusion(matrix: ArrayLike, classes: Sequence[str], png: Path) -> None:
    """Write the figure of `confusion_figure` to a PNG file."""
    save(confusion_figure(matrix, classes), png)


def confusion_figure(matrix: ArrayLike, classes: Sequence[str]) -> Figure:
    """Counts, each with its share of the slices of its true class.

    Args:
        matrix: (K, K) counts; rows are the truth, columns the guess.
        classes: Names in the order of the matrix.
    """
    counts = np.asarray(matrix).astype(int)
    shares = row_shares(counts)
    side = 2.6 + 1.0 * len(classes)
    figure = new_figure(side + 0.6, side)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        color = "white" if shares[row, column] > 0.55 else "#202124"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=10)
    names = [spoken(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("guess")
    axes.set_ylabel("truth")
    total, right = int(counts.sum()), int(np.trace(counts))
    axes.set_title(f"{right} of {total} right ({right / max(total, 1):.1%})", fontsize=11)
    axes.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axes, label="share of the true class", fraction=0.046)
    return figure


def row_shares(counts: NDArray[np.int_]) -> NDArray[np.float64]:
    """Each row divided by its sum. The row of a class without a case has zeros."""
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.zeros(counts.shape)
    np.divide(counts, sums, out=shares, where=sums > 0)
    return shares
