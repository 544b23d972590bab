"""The picture of a scan and its result: three planes through the tumour in every sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from brainseg.images.labels import CLASSES, classes_with, is_tumor
from brainseg.images.planes import PLANES, cut, seen_axes
from brainseg.images.volume import Grid, Spacing
from brainseg.reporting.canvas import (
    CLASS_COLORS,
    DIM_TEXT,
    LIGHT_TEXT,
    new_figure,
    outline,
    paint_classes,
    save,
    spoken,
)
from brainseg.reporting.grey import to_grey

MM_PER_INCH = 62.0  # of the head: a brain is then a hand wide on a screen
MARGIN_MM = 6.0  # kept around the head
GAP, TOP, BOTTOM = 0.06, 0.78, 0.2  # inches: between tiles, for title, note and names, below the legend
LEGEND_ENTRY = (1.75, 0.16)  # inches: width and height of one
SHOWN: tuple[str, ...] = tuple(reversed(PLANES))  # from the left, or from the top
EDGES: dict[str, str] = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}  # left, right, top, bottom
WHERE = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"), (0.5, 0.985, "center", "top"),
         (0.5, 0.015, "center", "bottom"))  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What is drawn, cropped to the head: (X, Y, Z) arrays in RAS, and the voxel where the planes meet.

    `ml` has the volume of the brain and of each class before anything was cropped, in words.
    """

    greys: dict[str, NDArray[np.float32]]
    brain: NDArray[np.bool_] | None
    labels: NDArray[Any] | None
    center: tuple[int, int, int]
    spacing_mm: Spacing
    ml: dict[str, str]

    @property
    def shape(self) -> tuple[int, ...]:
        return next(iter(self.greys.values())).shape

    def size_inches(self, plane: str) -> tuple[float, float]:
        """Width and height of a plane; all have one scale, so a sphere is a circle of one size in each."""
        across, up = (self.shape[axis] * self.spacing_mm[axis] / MM_PER_INCH for axis in seen_axes(plane))
        return across, up


def draw_scene(scene: Scene, title: str, note: str, png: Path) -> None:
    """Axial, coronal and sagittal plane of each sequence in radiological display, with the result on them.

    The sequences stand side by side, their planes below each other. A single sequence has its planes side by
    side.

    Args:
        scene: What `compose` gives.
        title: One line above the picture.
        note: One line below the title, in small print.
        png: Where the picture goes.
    """
    figure, tiles = _lay_out(scene)
    for (name, plane), axes in tiles.items():
        _draw_tile(axes, scene, scene.greys[name], plane)
        if len(scene.greys) == 1 or plane == SHOWN[0]:
            axes.set_title(
                plane if len(scene.greys) == 1 else name, color=LIGHT_TEXT, fontsize=10, pad=4, y=1.0
            )
    width, height = figure.get_size_inches()
    left = 0.09 / width
    figure.text(left, 1 - 0.2 / height, title, color=LIGHT_TEXT, fontsize=11, weight="bold", va="center")
    figure.text(left, 1 - 0.41 / height, note, color=DIM_TEXT, fontsize=9, va="center")
    _draw_legend(figure, scene)
    save(figure, png, dpi=130)


def compose(
    images: Mapping[str, NDArray[Any]],
    grid: Grid,
    brain: NDArray[Any] | None,
    labels: NDArray[Any] | None,
    *,
    cavity: bool = False,
) -> Scene:
    """What is drawn of these volumes, all (X, Y, Z).

    The planes meet in the middle of the tumour, else of the resection cavity, else of the brain, else of the
    head.

    Args:
        images: By name of the sequence.
        grid: The grid of all of them, in RAS.
        brain: The mask, outlined; None if it is not known.
        labels: Internal classes, filled and outlined; None if there is no segmentation.
        cavity: Whether the resection cavity could be one of them.

    Raises:
        ValueError: There is no image, or something is not on the grid of the first one.
    """
    _on_one_grid(images, brain, labels)
    brain = None if brain is None else np.asarray(brain) > 0
    masks = {} if brain is None else {"brain": brain}
    if labels is not None:
        names = classes_with(cavity=cavity)
        masks |= {name: labels == value for value, name in enumerate(names) if value > 0}
    ml = {name: milliliters(mask, grid.voxel_ml) for name, mask in masks.items()}
    box = _box_of_the_head(images, grid.spacing_mm, brain)
    inside = None if brain is None else brain[box]
    drawn = None if labels is None else labels[box]
    greys = {name: to_grey(image[box], inside) for name, image in images.items()}
    head = np.ones(next(iter(greys.values())).shape, dtype=bool)
    tumor = None if drawn is None else is_tumor(drawn)
    target = next(mask for mask in (tumor, drawn, inside, head) if mask is not None and mask.any())
    return Scene(greys, inside, drawn, middle_of(target > 0, grid.spacing_mm), grid.spacing_mm, ml)


def _on_one_grid(
    images: Mapping[str, NDArray[Any]], brain: NDArray[Any] | None, labels: NDArray[Any] | None
) -> None:
    if not images:
        raise ValueError("there is no image to draw")
    (first, image), *_ = images.items()
    for name, array in {**images, "brain": brain, "labels": labels}.items():
        if array is not None and array.shape != image.shape:
            raise ValueError(f"{name} is {array.shape} but {first} is {image.shape}; all must share one grid")


def _box_of_the_head(
    images: Mapping[str, NDArray[Any]], spacing_mm: Spacing, brain: NDArray[np.bool_] | None
) -> tuple[slice, slice, slice]:
    """The box of all but air, with a margin; air is darker than a tenth of the first image's range."""
    image = next(iter(images.values()))
    head = to_grey(image, brain) > 0.1
    if brain is not None:
        head |= brain
    sides = []
    for axis, filled in enumerate(_filled(head)):
        # A line of noise is no head: a plane counts from 1 % of the voxels of the fullest one.
        found = np.flatnonzero(filled > 0.01 * filled.max())
        margin = round(MARGIN_MM / spacing_mm[axis])
        low, high = (found[0], found[-1] + 1) if found.size else (0, image.shape[axis])
        sides.append(slice(max(0, int(low) - margin), min(image.shape[axis], int(high) + margin)))
    return sides[0], sides[1], sides[2]


def _filled(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """How many voxels of each plane are in the mask, along each of the three axes."""
    lines = mask.T.sum(axis=0, dtype=np.uint16).T  # along z, which runs slowest in memory as a file has it
    each_z = [np.count_nonzero(plane) for plane in mask.T]
    return [lines.sum(axis=1, dtype=np.int64), lines.sum(axis=0, dtype=np.int64), np.array(each_z)]


def middle_of(mask: NDArray[np.bool_], spacing_mm: Spacing) -> tuple[int, int, int]:
    """The voxel of the mask that is nearest to its centre of mass: that itself may lie in a ring's hole."""
    voxels = np.argwhere(mask)
    distances = ((voxels - voxels.mean(axis=0)) * spacing_mm) ** 2
    x, y, z = voxels[distances.sum(axis=1).argmin()]
    return int(x), int(y), int(z)


def _lay_out(scene: Scene) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """A dark figure with an empty tile for each sequence and plane, each in the middle of its cell."""
    grid = _grid(list(scene.greys))
    sizes = [[scene.size_inches(plane) for _, plane in row] for row in grid]
    widths = [max(row[column][0] for row in sizes) + GAP for column in range(len(grid[0]))]
    heights = [max(height for _, height in row) + GAP for row in sizes]
    width = max(sum(widths), 4.2)
    height = sum(heights) + TOP + BOTTOM + LEGEND_ENTRY[1] * _legend_rows(scene, width)
    figure = new_figure(width, height, dark=True)
    left_margin = (width - sum(widths)) / 2
    tiles = {}
    for row, column in np.ndindex(len(grid), len(grid[0])):
        across, up = sizes[row][column]
        left = left_margin + sum(widths[:column]) + (widths[column] - across) / 2
        bottom = height - TOP - sum(heights[: row + 1]) + (heights[row] - up) / 2
        place = (left / width, bottom / height, across / width, up / height)
        tiles[grid[row][column]] = figure.add_axes(place)
    return figure, tiles


def _legend_columns(entries: int, width: float) -> int:
    return max(1, min(entries, int(width / LEGEND_ENTRY[0])))


def _legend_rows(scene: Scene, width: float) -> int:
    return -(-len(scene.ml) // _legend_columns(len(scene.ml), width))


def _grid(names: Sequence[str]) -> list[list[tuple[str, str]]]:
    if len(names) == 1:
        return [[(names[0], plane) for plane in SHOWN]]
    return [[(name, plane) for name in names] for plane in SHOWN]


def _draw_tile(axes: Axes, scene: Scene, grey: NDArray[Any], plane: str) -> None:
    across, up = seen_axes(plane)
    index = scene.center[PLANES[plane]]
    axes.imshow(
        cut(grey, plane, index),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="bilinear",
        aspect=scene.spacing_mm[up] / scene.spacing_mm[across],
    )
    if scene.brain is not None:
        outline(axes, cut(scene.brain, plane, index), CLASS_COLORS["brain"], width=0.8)
    if scene.labels is not None:
        paint_classes(axes, cut(scene.labels, plane, index), CLASSES)
    for letter, (x, y, ha, va) in zip(EDGES[plane], WHERE, strict=True):
        text = axes.text(x, y, letter, color="#D8DBDF", fontsize=7.5, ha=ha, va=va, transform=axes.transAxes)
        text.set_path_effects(
            [withStroke(linewidth=1.8, foreground="black")]
        )  # readable on a white scalp too
    axes.set_axis_off()


def _draw_legend(figure: Figure, scene: Scene) -> None:
    handles = [
        Patch(color=CLASS_COLORS[name], label=f"{spoken(name)}  {ml} ml") for name, ml in scene.ml.items()
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower left",
            ncols=_legend_columns(len(handles), figure.get_size_inches()[0]),
            frameon=False,
            labelcolor=LIGHT_TEXT,
            fontsize=8,
            handlelength=1.0,
            handleheight=1.0,
            borderaxespad=0.4,
            columnspacing=1.6,
        )


def milliliters(mask: NDArray[np.bool_], voxel_ml: float) -> str:
    """The mask's volume, with one decimal below 100 ml."""
    volume = int(np.count_nonzero(mask)) * voxel_ml
    return f"{volume:.1f}" if volume < 100 else f"{volume:.0f}"
