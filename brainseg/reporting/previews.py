"""Previews of a model on validation scans, as one picture."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from brainseg.reporting.canvas import (
    DIM_TEXT,
    LIGHT_TEXT,
    WRONG,
    class_color,
    new_figure,
    paint_classes,
    save,
    spoken,
)
from brainseg.reporting.grey import to_grey
from brainseg.tasks.preview import Preview

TILE, GAP = 2.3, 0.05  # inches: side of a tile, space between two
LINE = 0.17  # inches, height of a line of the caption
LETTERS = 32  # of a caption that a tile is wide
MARGIN = 0.04  # kept around the head, share of the picture's side

Tile = tuple[str, NDArray[Any] | None]


def draw_previews(previews: Sequence[Preview], png: Path, classes: Sequence[str]) -> None:
    """Write what `previews_figure` draws to a PNG file."""
    save(previews_figure(previews, classes), png)


def previews_figure(previews: Sequence[Preview], classes: Sequence[str]) -> Figure:
    """Each preview as a row of tiles: the image, then the same with the masks of truth and of guess.

    Args:
        previews: At least one.
        classes: Names of the values in truth and guess, background first; empty where there are no masks.

    Raises:
        ValueError: There is no preview.
    """
    if not previews:
        raise ValueError("there is no preview to draw")
    tiles = max(len(_tiles(preview)) for preview in previews)
    across = _across(len(previews), tiles)
    rows = math.ceil(len(previews) / across)
    captions = [_broken(preview.caption, LETTERS * tiles) for preview in previews]
    head = LINE * (1 + max(caption.count("\n") for caption in captions)) + 0.12
    legend = 0.35 if classes else 0.05
    figure = new_figure(TILE * tiles * across, rows * (TILE + head) + legend, dark=True)
    for place, (preview, caption) in enumerate(zip(previews, captions, strict=True)):
        row, column = divmod(place, across)
        corner = (column * tiles * TILE, (rows - row - 1) * (TILE + head) + legend)
        _draw_preview(figure, corner, preview, caption, classes)
    _draw_legend(figure, classes)
    return figure


def _tiles(preview: Preview) -> list[Tile]:
    masks = [("truth", preview.truth), ("guess", preview.guess)]
    return [("", None), *((name, mask) for name, mask in masks if mask is not None)]


def _broken(caption: str, letters: int) -> str:
    """The caption in lines of at most so many letters, broken after its commas if it does not fit in one."""
    if len(caption) <= letters:
        return caption
    return "\n".join(textwrap.fill(part, letters) for part in caption.replace(", ", ",\n").splitlines())


def _across(count: int, tiles: int) -> int:
    """How many previews stand side by side for a picture that is wider than high."""
    return max(1, min(count, round(math.sqrt(1.6 * count / tiles))))


def _draw_preview(
    figure: Figure, corner: tuple[float, float], preview: Preview, caption: str, classes: Sequence[str]
) -> None:
    """One preview with its lower left corner there, in inches."""
    width, height = figure.get_size_inches()
    left, bottom = corner
    color = WRONG if preview.correct is False else LIGHT_TEXT
    figure.text((left + GAP) / width, (bottom + TILE + 0.06) / height, caption, color=color, fontsize=9)
    grey = to_grey(preview.image)
    box = box_of_content(grey)
    for offset, (name, mask) in enumerate(_tiles(preview)):
        place = (left + offset * TILE + GAP / 2) / width, bottom / height, (TILE - GAP) / width, TILE / height
        axes = figure.add_axes(place)
        _draw_tile(axes, grey[box], name, None if mask is None else mask[box], classes)


def _draw_tile(
    axes: Axes, grey: NDArray[Any], name: str, mask: NDArray[Any] | None, classes: Sequence[str]
) -> None:
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    if mask is not None:
        paint_classes(axes, mask, classes)
    axes.text(0.03, 0.03, name, color=DIM_TEXT, fontsize=8, transform=axes.transAxes)
    axes.set_axis_off()


def box_of_content(grey: NDArray[Any]) -> tuple[slice, slice]:
    """The box of all that is not black, with a margin; everything if all is black."""
    sides = []
    for axis in (0, 1):
        found = np.flatnonzero((grey > 0.05).any(axis=1 - axis))
        low, high = (int(found[0]), int(found[-1]) + 1) if found.size else (0, grey.shape[axis])
        margin = math.ceil(MARGIN * grey.shape[axis])
        sides.append(slice(max(0, low - margin), min(grey.shape[axis], high + margin)))
    return sides[0], sides[1]


def _draw_legend(figure: Figure, classes: Sequence[str]) -> None:
    handles = [
        Line2D([], [], color=class_color(name, value), linewidth=3, label=spoken(name))
        for value, name in enumerate(classes)
        if value > 0
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower left",
            ncols=len(handles),
            frameon=False,
            labelcolor=LIGHT_TEXT,
            fontsize=9,
        )
