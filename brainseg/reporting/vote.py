"""The picture of a vote: the slice that spoke loudest, where it looked, and what each slice said."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from brainseg.images.labels import CLASSES
from brainseg.reporting.canvas import DIM_TEXT, LIGHT_TEXT, new_figure, paint_classes, save
from brainseg.results.parts import SliceVote

TYPE_COLORS = {"glioma": "#FF6A3D", "meningioma": "#56B4E9", "notumor": "#6B7280", "pituitary": "#F0E442"}


def draw_vote(
    votes: Sequence[SliceVote],
    loudest: int,
    image: NDArray[np.uint8],
    heat: NDArray[np.float32] | None,
    tumor: NDArray[np.uint8] | None,
    title: str,
    note: str,
    png: Path,
) -> None:
    """The loudest slice with its Grad-CAM at the left, the probabilities of all slices by plane at the right.

    Args:
        votes: For each slice "plane", "offset_mm" and "probabilities" by class.
        loudest: Place of the slice that is shown.
        image: (S, S), as the classifier saw it.
        heat: (S, S), 0 to 1; None where the backbone has no Grad-CAM.
        tumor: (S, S) classes of the segmentation, outlined; None without one.
        title: One line above.
        note: One line below it, in small print.
        png: Where the picture goes.
    """
    figure = new_figure(10.4, 4.6, dark=True)
    figure.text(0.015, 0.955, title, color=LIGHT_TEXT, fontsize=11, weight="bold", va="center")
    figure.text(0.015, 0.895, note, color=DIM_TEXT, fontsize=9, va="center")
    shown = figure.add_axes((0.015, 0.1, 0.32, 0.74))
    _draw_slice(shown, image, heat, tumor)
    shown.set_title(_caption(votes[loudest], heat), color=LIGHT_TEXT, fontsize=9, pad=4, y=1.0)
    planes = list(dict.fromkeys(vote.plane for vote in votes))
    for row, plane in enumerate(planes):
        axes = figure.add_axes((0.41, 0.66 - 0.265 * row, 0.44, 0.175))
        _draw_plane(axes, plane, votes, loudest)
    draw_legend(figure, list(votes[0].probabilities), (0.86, 0.5))
    save(figure, png, dpi=120)


def _caption(vote: SliceVote, heat: NDArray[np.float32] | None) -> str:
    looked = "Grad-CAM of the verdict" if heat is not None else "no Grad-CAM: the backbone has no map"
    return f"loudest: {vote.plane} {vote.offset_mm:+g} mm, {looked}"


def _draw_slice(
    axes: Axes, image: NDArray[np.uint8], heat: NDArray[np.float32] | None, tumor: NDArray[np.uint8] | None
) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    if heat is not None:
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.55 * heat)
    if tumor is not None:
        paint_classes(axes, tumor, CLASSES)
    axes.set_axis_off()


def _draw_plane(axes: Axes, plane: str, votes: Sequence[SliceVote], loudest: int) -> None:
    """A stacked bar for each slice of the plane, ordered along its axis; the loudest is framed."""
    axes.set_facecolor("none")
    own = sorted((vote.offset_mm, place) for place, vote in enumerate(votes) if vote.plane == plane)
    reach = [-0.41, len(own) - 1 + 0.41]
    for x, (_, place) in enumerate(own):
        below = 0.0
        for name, p in votes[place].probabilities.items():
            axes.add_artist(Rectangle((x - 0.41, below), 0.82, p, color=TYPE_COLORS[name], linewidth=0))
            below += p
        if place == loudest:
            frame: dict[str, Any] = {"facecolor": "none", "edgecolor": LIGHT_TEXT, "linewidth": 1.4}
            axes.add_artist(Rectangle((x - 0.47, 0), 0.94, 1, **frame))
            reach = [min(reach[0], x - 0.47), max(reach[1], x + 0.47)]
    margin = 0.05 * (reach[1] - reach[0])
    axes.set_xlim(reach[0] - margin, reach[1] + margin)
    axes.set_xticks(range(len(own)), [f"{offset:+g}" if offset else "0" for offset, _ in own])
    axes.set_yticks([0, 1])
    axes.set_ylim(0, 1.03)
    axes.tick_params(colors=DIM_TEXT, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{plane}, mm from the middle", color=LIGHT_TEXT, fontsize=9, loc="left", pad=3, y=1.0)


def draw_legend(figure: Figure, classes: Sequence[str], place: tuple[float, float]) -> None:
    """The colours of the classes, their left middle at a place in shares of the figure."""
    patches = [Patch(color=TYPE_COLORS[name], label=name) for name in classes]
    figure.legend(
        handles=patches,
        loc="center left",
        bbox_to_anchor=place,
        frameon=False,
        fontsize=9,
        labelcolor=LIGHT_TEXT,
    )
