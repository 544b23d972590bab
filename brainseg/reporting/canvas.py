"""Colours and figures that all pictures share. They do without pyplot, which keeps global state."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contourpy import FillType, LineType, contour_generator
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.path import Path as MplPath
from numpy.typing import NDArray

from brainseg.files.atomic import writing
from brainseg.reporting.png import png_of

# Each class has one colour in all pictures. The colours are from Okabe and Ito's palette, which people with
# any colour vision can tell apart. They are a little lighter, because they lie on grey images.
CLASS_COLORS = {
    "necrotic_core": "#56B4E9",
    "edema": "#F0E442",
    "enhancing_tumor": "#FF6A3D",
    "resection_cavity": "#D98CC0",
    "brain": "#4FD1B0",
}
INNER = {
    "resection_cavity": 1,
    "edema": 1,
    "enhancing_tumor": 2,
    "necrotic_core": 3,
}  # how far inside a tumour
# For lines, and for classes that are not named above.
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

DPI = 110
DARK = "#0B0D10"
LIGHT_TEXT = "#E8EAED"
DIM_TEXT = "#9AA0A6"
WRONG = "#FF7B72"


def class_color(name: str, index: int) -> str:
    """The colour of a class by its name, else by its place in the list of classes."""
    return CLASS_COLORS.get(name, LINE_COLORS[index % (len(LINE_COLORS) - 1)])


def spoken(name: str) -> str:
    """A name from the code as people write it: whole_tumor -> whole tumor."""
    return name.replace("_", " ")


def new_figure(width: float, height: float, *, dark: bool = False) -> Figure:
    """An empty figure, in inches, that can draw itself without a display."""
    figure = Figure(figsize=(width, height), facecolor=DARK if dark else "white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, png: Path, *, dpi: int = DPI) -> None:
    """Write the picture whole or not at all, so that a viewer that reloads it never sees half of it."""
    with writing(png) as temporary:
        temporary.write_bytes(drawn(figure, dpi))


def drawn(figure: Figure, dpi: int = DPI) -> bytes:
    """A figure as a PNG file; the background of the figure is opaque."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return png_of(np.asarray(canvas.buffer_rgba())[..., :3], dpi)


def paint_classes(axes: Axes, labels: NDArray[Any], names: Sequence[str]) -> None:
    """Draw each class but the background as a transparent area with an outline, inner parts on top.

    Args:
        axes: Those of an image of the labels' size.
        labels: (H, W), values are places in `names`.
        names: Background first.
    """
    for value in sorted(range(1, len(names)), key=lambda value: INNER.get(names[value], 0)):
        mask = labels == value
        if mask.any():
            color = class_color(names[value], value)
            columns, rows = np.arange(mask.shape[1]), np.arange(mask.shape[0])
            points, codes = _contours(columns, rows, mask).filled(0.5, 1.5)
            filling = {"facecolors": [to_rgba(color, 0.3)], "edgecolors": "none", "antialiaseds": False}
            _add_path(axes, points, codes, zorder=1, **filling)
            outline(axes, mask, color, width=1.1)


def outline(axes: Axes, mask: NDArray[Any], color: str, *, width: float = 1.3) -> None:
    """Draw the border of a 2D mask on the image in `axes`. It is closed at the edge of the image too."""
    if mask.any():
        columns, rows = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
        points, codes = _contours(columns, rows, np.pad(mask, 1)).lines(0.5)
        line = {"facecolors": "none", "edgecolors": [color], "linewidths": width}
        _add_path(axes, points, codes, zorder=2, **line)
        axes.set_xlim(columns[0], columns[-1])  # so wide that an outline at the edge is seen
        axes.set_ylim(rows[-1], rows[0])


def _contours(columns: NDArray[Any], rows: NDArray[Any], mask: NDArray[Any]) -> Any:
    """What `Axes.contour` asks, without the scale of colours that it makes for each of many small masks."""
    return contour_generator(
        columns,
        rows,
        mask.astype(float),
        name="mpl2014",
        line_type=LineType.SeparateCode,
        fill_type=FillType.OuterCode,
    )


def _add_path(axes: Axes, points: Any, codes: Any, **look: Any) -> None:
    """All pieces as one path, so that a hole is one."""
    path = MplPath(np.concatenate(points), np.concatenate(codes))
    axes.add_collection(PathCollection([path], transform=axes.transData, **look), autolim=False)
