"""The picture of a whole brain's tumour type: where the network looked, and how sure each classifier is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainseg.images.planes import PLANES, cut
from brainseg.reporting.canvas import DIM_TEXT, LIGHT_TEXT, new_figure, save
from brainseg.reporting.montage import SHOWN, Scene, draw_tile
from brainseg.reporting.vote import TYPE_COLORS, draw_legend

TILES = (7.3, 3.3)  # inches that the three planes may be wide and high together
GAP = 0.06  # inches between two


def draw_volume_type(
    scene: Scene,
    sequence: str,
    answers: Mapping[str, Mapping[str, float]],
    title: str,
    note: str,
    png: Path,
) -> None:
    """Three planes through the strongest Grad-CAM at the left, the probabilities at the right.

    Args:
        scene: With the heat.
        sequence: Which one lies below the heat.
        answers: By the name of each classifier, the probability of each class.
        title: One line above.
        note: One line below it, in small print.
        png: Where the picture goes.
    """
    figure = new_figure(10.4, 4.6, dark=True)
    figure.text(0.015, 0.955, title, color=LIGHT_TEXT, fontsize=11, weight="bold", va="center")
    figure.text(0.015, 0.895, note, color=DIM_TEXT, fontsize=9, va="center")
    _draw_planes(figure, _at_the_hottest(scene), sequence)
    below = figure.add_axes((0.77, 0.45, 0.2, 0.14 * len(answers)))
    _draw_answers(below, answers)
    draw_legend(figure, list(next(iter(answers.values()))), (0.77, 0.25))
    save(figure, png, dpi=120)


def _at_the_hottest(scene: Scene) -> Scene:
    if scene.heat is None or not scene.heat.any():
        return scene
    x, y, z = np.unravel_index(int(scene.heat.argmax()), scene.heat.shape)
    return replace(scene, center=(int(x), int(y), int(z)))


def _draw_planes(figure: Figure, scene: Scene, sequence: str) -> None:
    sizes = [scene.size_inches(plane) for plane in SHOWN]
    room = TILES[0] - GAP * (len(sizes) - 1)
    scale = min(room / sum(across for across, _ in sizes), TILES[1] / max(up for _, up in sizes))
    width, height = figure.get_size_inches()
    left = 0.015 * width
    for plane, (across, up) in zip(SHOWN, sizes, strict=True):
        place = (left / width, 0.1, scale * across / width, scale * up / height)
        axes = figure.add_axes(place)
        draw_tile(axes, scene, scene.greys[sequence], plane)
        if scene.heat is not None:
            heat = cut(scene.heat, plane, scene.center[PLANES[plane]])
            aspect = axes.get_aspect()
            axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.55 * heat, interpolation="bilinear")
            axes.set_aspect(aspect)
        axes.set_title(f"{plane}, {sequence}", color=LIGHT_TEXT, fontsize=9, pad=4)
        left += scale * across + GAP


def _draw_answers(axes: Axes, answers: Mapping[str, Mapping[str, float]]) -> None:
    """A stacked bar for each classifier, the first one on top."""
    axes.set_facecolor("none")
    for row, probabilities in enumerate(answers.values()):
        left = 0.0
        for name, p in probabilities.items():
            axes.barh(row, p, 0.7, left=left, color=TYPE_COLORS[name], linewidth=0)
            left += p
    axes.set_yticks(range(len(answers)), list(answers))
    axes.set_xticks([0, 1])
    axes.set_xlim(0, 1.03)
    axes.invert_yaxis()
    axes.tick_params(colors=DIM_TEXT, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("probabilities", color=LIGHT_TEXT, fontsize=9, loc="left", pad=3)
