"""The page of `brainseg report skullstrip`: tables 4 and 5 and figure 1 of the report, from our own runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainseg.images.masks import box_of
from brainseg.images.planes import PLANES, cut, seen_axes
from brainseg.images.volume import Grid
from brainseg.reporting.canvas import LINE_COLORS, class_color, new_figure, outline
from brainseg.reporting.grey import to_grey
from brainseg.reporting.page import inline_figure
from brainseg.reporting.previews import box_of_content
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    settings_section,
    table_of,
    write_report,
)

OTSU_NAME = "Otsu's threshold"
# Tables 4 and 5: mean squared error (in the last one the Dice loss), Dice, IoU; by network, optional_skip.
REPORT: dict[tuple[str, bool], tuple[str, tuple[float, float, float]]] = {
    ("residual_unet3d", False): ("residual_unet3d_MSE_2", (0.008068, 0.9176, 0.8753)),
    ("residual_unet3d", True): ("residual_unet3d_MSE_3", (0.010058, 0.9113, 0.8611)),
    ("residual_unet3d_advanced", True): ("ResidualUNET3D_Adam_10_3", (0.019821, 0.980179, 0.961247)),
}
PATCH_SCORES = {"mse": "MSE", "dice": "Dice", "iou": "IoU"}
HEAD_SCORES = {
    "dice": ("Dice", 1.0),
    "iou": ("IoU", 1.0),
    "sensitivity": ("sensitivity", 1.0),
    "specificity": ("specificity", 1.0),
    "volume_error": ("volume error, %", 100.0),
    "hd95_mm": ("HD95, mm", 1.0),
    "mean_surface_distance_mm": ("mean surface distance, mm", 1.0),
}
Median = tuple[float, float, float]  # and the ends of its interval of 95 %


@dataclass(frozen=True)
class PatchScores:
    """The report's own way: the sigmoid without a threshold on random patches, a mean over their batches."""

    means: Mapping[str, float]  # of PATCH_SCORES
    batches: int
    batch_size: int
    patches_per_head: int
    brain_share: float  # of the patches' voxels
    empty: int  # batches without a voxel of brain


@dataclass(frozen=True)
class StripperScores:
    """A stripper on the heads that it is judged by."""

    name: str
    settings: Mapping[str, str]
    heads: Mapping[str, Mapping[str, float]]  # head -> score -> value
    medians: Mapping[str, Median]
    patches: PatchScores | None = None  # a threshold has none
    network: tuple[str, bool] | None = None  # and its optional_skip


@dataclass(frozen=True)
class OtsuCase:
    """A head with what Otsu's threshold takes for its brain: arrays (X, Y, Z) in RAS."""

    name: str
    dice: float
    image: NDArray[np.float32]
    truth: NDArray[np.bool_]
    guess: NDArray[np.bool_]
    grid: Grid


def write_strip_page(
    folder: Path,
    runs: Sequence[StripperScores],
    otsu: StripperScores,
    figure_1: Sequence[OtsuCase],
    heads: str,
    missing: Sequence[str] = (),
) -> Path:
    """Write skullstrip.html and skullstrip.md.

    Args:
        folder: Where they go.
        runs: Of trained networks, at least one.
        otsu: The baseline on the same heads.
        figure_1: Heads on which the baseline is good and bad.
        heads: One sentence that says which heads they are.
        missing: A sentence for each run that should be here and is not.
    """
    sections = [
        Section(warning="; ".join(missing), paragraphs=[heads]),
        _patches(runs),
        _heads([*runs, otsu]),
        settings_section([(run.name, run.settings) for run in runs]),
        _otsu(figure_1),
    ]
    return write_report(folder, "skullstrip", "Skull strippers", sections)


def _patches(runs: Sequence[StripperScores]) -> Section:
    return Section(
        "Tables 4 and 5: the report's way of scoring",
        paragraphs=[_how(run.patches) for run in runs[:1] if run.patches],
        points=[
            "A batch without brain has a Dice near 0 however good the network is: 1 / (sum p + 1). The mean "
            "says as much of how many such batches there are as of the network, and larger batches have "
            "fewer: the report's own network was scored with larger ones than the original. The next table "
            "does not depend on it.",
            "The report's 0.019821 is no mean squared error. It is 1 - 0.980179, the Dice loss that this "
            "network was trained with: the original prints whatever loss was trained under that name. The "
            "text calls it smaller than 0.010058; it is larger, and neither says anything of the other.",
        ],
        tables=[
            table_of(
                "Mean over batches of random patches",
                ("run", "optional skip", *PATCH_SCORES.values(), "brain in the patches", "empty batches"),
                [_patch_row(run, run.patches) for run in runs if run.patches],
            )
        ],
    )


def _patch_row(run: StripperScores, patches: PatchScores) -> list[str | Entry]:
    theirs = REPORT.get(run.network) if run.network else None
    values = []
    for place, (key, mean) in enumerate(patches.means.items()):
        printed = f"report: {_digits(key, theirs[1][place])}" if theirs else ""
        values.append(Entry(_digits(key, mean), printed))
    return [
        Entry(run.name, theirs[0] if theirs else ""),
        NOTHING if run.network is None else str(run.network[1]).lower(),
        *values,
        f"{patches.brain_share:.1%}",
        f"{patches.empty} of {patches.batches}",
    ]


def _how(patches: PatchScores) -> str:
    return (
        f"The network's sigmoid, without a threshold, on {patches.patches_per_head} random patches of each "
        "head; Dice and IoU of a batch as one, with 1 added above and below; then the mean of the batches. A "
        "batch is half as large as in training."
    )


def _digits(score: str, value: float) -> str:
    return f"{value:.6f}" if score == "mse" else f"{value:.4f}"


def _heads(strippers: Sequence[StripperScores]) -> Section:
    best = max(strippers, key=lambda one: one.medians["dice"][0])
    rows: list[list[str | Entry]] = []
    for one in strippers:
        dices = [scores["dice"] for scores in one.heads.values()]
        medians = [
            Entry(_scaled(one.medians[key], scale), mark="best" if key == "dice" and one is best else "")
            for key, (_, scale) in HEAD_SCORES.items()
        ]
        rows.append([one.name, str(len(dices)), *medians, f"{min(dices):.4f}"])
    return Section(
        "Whole heads",
        paragraphs=[
            "What predict.py makes of each head: a mask on the scan's own grid, largest part, holes filled. "
            "Medians over the heads with intervals of 95 % (2000 resamples of the heads)."
        ],
        tables=[
            table_of(
                "Scores of masks",
                ("run", "heads", *(name for name, _ in HEAD_SCORES.values()), "least Dice"),
                rows,
            )
        ],
        pictures=[Picture(inline_figure(_dice_figure(strippers)), "Dice of each head")],
    )


def _scaled(median: Median, scale: float) -> str:
    value, low, high = (scale * part for part in median)
    digits = 4 if scale == 1 and abs(value) <= 1 else 2
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _dice_figure(strippers: Sequence[StripperScores]) -> Figure:
    figure = new_figure(7.5, 0.6 * len(strippers) + 1.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for place, one in enumerate(reversed(strippers)):
        dices = [scores["dice"] for scores in one.heads.values()]
        color = LINE_COLORS[(len(strippers) - 1 - place) % len(LINE_COLORS)]
        axes.plot(dices, [place] * len(dices), "o", color=color, alpha=0.55, markersize=5)
        axes.plot([float(np.median(dices))], [place], "|", color=color, markersize=22, markeredgewidth=2)
    axes.set_yticks(range(len(strippers)), [one.name for one in reversed(strippers)])
    axes.set_ylim(-0.6, len(strippers) - 0.4)
    axes.set_xlabel("Dice with the true mask; the stroke is the median")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _otsu(cases: Sequence[OtsuCase]) -> Section:
    return Section(
        "Figure 1: Otsu's threshold on its best head and on its worst",
        paragraphs=[
            "Otsu's threshold between dark and bright, the largest bright part, closed with a ball of 5 mm. "
            "White is the true brain, the other colour the guess. Nothing in it tells brain from scalp."
        ],
        pictures=[
            Picture(inline_figure(_otsu_figure(case)), f"{case.name}: Dice {case.dice:.3f}") for case in cases
        ],
    )


def _otsu_figure(case: OtsuCase) -> Figure:
    """The three planes through the middle of the true brain."""
    where = [(side.start + side.stop) // 2 for side in box_of(case.truth)]
    figure = new_figure(9.0, 3.4, dark=True)
    for place, plane in enumerate(reversed(PLANES)):
        image, truth, guess = (
            cut(a, plane, where[PLANES[plane]]) for a in (case.image, case.truth, case.guess)
        )
        grey = to_grey(image)
        box = box_of_content(grey)
        across, up = seen_axes(plane)
        axes = figure.add_axes((place / 3 + 0.005, 0.01, 1 / 3 - 0.01, 0.98))
        aspect = case.grid.spacing_mm[up] / case.grid.spacing_mm[across]
        axes.imshow(grey[box], cmap="gray", vmin=0, vmax=1, aspect=aspect)
        outline(axes, guess[box], class_color("brain", 1), width=1.6)
        outline(axes, truth[box], "white", width=1.0)
        axes.set_axis_off()
    return figure
