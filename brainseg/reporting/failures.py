"""The worst predictions of a model in one picture: a row for each, with the true and the found outline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.reporting.canvas import DIM_TEXT, LIGHT_TEXT, new_figure, outline, save
from brainseg.reporting.grey import to_grey

TRUE, FOUND = "#56B4E9", "#E69F00"
TILE = 1.5  # inches
DOTS = 90  # an inch: the picture of a card stays small


@dataclass(frozen=True)
class Failure:
    """A case whose prediction is far from the truth.

    Attributes:
        caption: As "sub-007: 0.412".
        images: (X, Y, Z) by sequence, on one grid, upright (RAS).
        truth, found: (X, Y, Z) bool.
        aspect: Height of a voxel through its width, in the axial plane.
    """

    caption: str
    images: Mapping[str, NDArray[Any]]
    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]
    aspect: float = 1.0


def draw_failures(failures: Sequence[Failure], png: Path) -> None:
    """Draw the axial slice of each case in which truth and prediction differ most, in every sequence."""
    wide = max(len(one.images) for one in failures)
    figure = new_figure(TILE * wide, (TILE * 1.25 + 0.1) * len(failures) + 0.3, dark=True)
    axes = figure.subplots(len(failures), wide, squeeze=False)
    for row, one in zip(axes, failures, strict=True):
        z = int((one.truth ^ one.found).sum(axis=(0, 1)).argmax())
        for tile in row:
            tile.axis("off")
        for tile, (name, image) in zip(row, one.images.items(), strict=False):
            tile.imshow(to_grey(image[:, :, z]).T[::-1, ::-1], cmap="gray", aspect=one.aspect)
            outline(tile, one.truth[:, :, z].T[::-1, ::-1], TRUE)
            outline(tile, one.found[:, :, z].T[::-1, ::-1], FOUND)
            tile.set_title(name, color=DIM_TEXT, fontsize=7, pad=2)
        row[0].text(0, -0.06, one.caption, color=LIGHT_TEXT, fontsize=7, va="top", transform=row[0].transAxes)
    figure.text(0.01, 0.005, "blue: truth; orange: found", color=DIM_TEXT, fontsize=7)
    figure.tight_layout(pad=0.3, rect=(0, 0.035, 1, 1))
    save(figure, png, dpi=DOTS)
