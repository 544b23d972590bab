"""`brainseg study skullstrip`: tables 4 and 5 and figure 1 of the student report, from our own runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from brainseg.files.atomic import writing
from brainseg.images.masks import box_of
from brainseg.images.planes import PLANES, cut, seen_axes
from brainseg.metrics.summary import RESAMPLES
from brainseg.reporting.canvas import LINE_COLORS, class_color, new_figure, outline
from brainseg.reporting.grey import to_grey
from brainseg.reporting.page import inline_figure
from brainseg.reporting.previews import box_of_content
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    WrittenPage,
    settings_section,
    table_of,
    write_sections,
)
from brainseg.study.held_out import VolumeRun, distinct_names, open_runs
from brainseg.study.published import ABOUT, STRIPPERS
from brainseg.study.stripper_scores import (
    Median,
    OtsuCase,
    PatchScores,
    StripperScores,
    otsu_scores,
    refuse_different_heads,
    stripper_scores,
)

ADVICE = (
    "score it on real ones with python predict.py input=DIR skullstripper=CHECKPOINT and "
    "brainseg evaluate DIR RESULTS"
)
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


def write_skullstrip_page(
    folders: Sequence[Path], output: Path | None, *, checkpoint: str, patches: int, device: str = "auto"
) -> WrittenPage:
    """Score the runs and write skullstrip.html, .md and .json.

    Args:
        folders: Runs, or sweeps of them.
        output: Where the files go; None: <first folder>/report.
        checkpoint: "best" or "last".
        patches: Random ones of each head, for scores as in the student report.
        device: As predict.py has it.

    Raises:
        UserError: There is no such run, its data is gone, or the runs are scored on different heads. If only
            some runs have no usable checkpoint, the page names them and shows the others.
    """
    runs, missing = open_runs(
        folders, task="skullstripper", checkpoint=checkpoint, device=device, advice=ADVICE
    )
    refuse_different_heads(runs)
    scored = [
        stripper_scores(run, name=name, checkpoint=checkpoint, patches=patches)
        for run, name in zip(runs, distinct_names(runs), strict=True)
    ]
    otsu, figure_1 = otsu_scores(runs[0])
    folder = folders[0] / "report" if output is None else output
    sections = [
        Section(warning="; ".join(missing), paragraphs=[ABOUT, _which_heads(runs[0], checkpoint)]),
        _patches(scored),
        _heads([*scored, otsu]),
        settings_section([(one.name, one.settings) for one in scored]),
        _figure_1(figure_1),
    ]
    page = write_sections(folder, "skullstrip", "Skull strippers", sections)
    content = [*(asdict(one) for one in (*scored, otsu)), *({"missing": one} for one in missing)]
    with writing(folder / "skullstrip.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return WrittenPage((*(_line(one) for one in (*scored, otsu)), *missing), page)


def _which_heads(run: VolumeRun, checkpoint: str) -> str:
    part = {"test": "test part", "val": "validation part"}[run.part]
    chosen = ", which also chose the best epoch" if (run.part, checkpoint) == ("val", "best") else ""
    return f"The strippers are scored on {len(run.cases)} heads of {run.data.root}: the {part}{chosen}."


def _patches(runs: Sequence[StripperScores]) -> Section:
    return Section(
        "Tables 4 and 5: scores as in the student report",
        paragraphs=[_how(run.patches) for run in runs[:1] if run.patches],
        points=[
            "A batch without brain has a Dice near 0 however good the network is: 1 / (sum p + 1). So the "
            "mean depends on the number of such batches as much as on the network, and larger batches are "
            "empty less often. The student report scored its own network with larger batches than the "
            "original. The scores of whole heads below do not depend on the batch size.",
            "The student report calls 0.019821 a mean squared error. It is 1 - 0.980179, the Dice loss that "
            "this network was trained with.",
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
    theirs = STRIPPERS.get(run.network) if run.network else None
    values = [
        Entry(_digits(key, mean), f"student report: {_digits(key, getattr(theirs, key))}" if theirs else "")
        for key, mean in patches.means.items()
    ]
    return [
        Entry(run.name, theirs.name if theirs else ""),
        NOTHING if run.network is None else str(run.network[1]).lower(),
        *values,
        f"{patches.brain_share:.1%}",
        f"{patches.empty} of {patches.batches}",
    ]


def _how(patches: PatchScores) -> str:
    return (
        f"The network's sigmoid is scored without a threshold on {patches.patches_per_head} random patches "
        "of each head. Dice and IoU are computed over a whole batch, with 1 added to numerator and "
        "denominator; then the mean over the batches is taken. A batch is half as large as in training."
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
            "The masks are those of predict.py: on the scan's own grid, the largest part only, holes filled. "
            f"Medians over the heads, with intervals of 95 % from {RESAMPLES} resamples of the heads."
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
    axes.set_xlabel("Dice with the true mask; the line is the median")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _figure_1(cases: Sequence[OtsuCase]) -> Section:
    return Section(
        "Figure 1: Otsu's threshold on its best head and on its worst",
        paragraphs=[
            "Otsu's threshold divides dark from bright. The largest bright part is kept and closed with a "
            "ball of 5 mm. The true brain is outlined in white, the guess in colour. A threshold cannot "
            "tell brain from scalp."
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


def _line(one: StripperScores) -> str:
    median, low, high = one.medians["dice"]
    said = f"{one.name}: Dice of whole heads {median:.4f} ({low:.4f} to {high:.4f})"
    if one.patches is None:
        return said
    means = one.patches.means
    return (
        f"{said}; scored as in the student report: MSE {means['mse']:.6f}, Dice {means['dice']:.4f}, "
        f"IoU {means['iou']:.4f}"
    )
