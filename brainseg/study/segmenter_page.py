"""`brainseg study segmentation`: table 6 and figure 24 of the student report, from our own runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from brainseg.files.atomic import writing
from brainseg.images.labels import CLASSES, REGIONS
from brainseg.inference import Cleaning
from brainseg.reporting.canvas import spoken
from brainseg.reporting.curves import curves_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.previews import previews_figure
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    Table,
    WrittenPage,
    settings_section,
    table_of,
    write_sections,
)
from brainseg.study.held_out import VolumeRun, distinct_names, open_runs
from brainseg.study.published import ABOUT, SEGMENTER
from brainseg.study.segmenter_scores import SegmenterScores, segmenter_scores, summary_of

ADVICE = "score it with python predict.py input=DIR segmenter=CHECKPOINT and brainseg evaluate DIR RESULTS"
ALL_RUNS = "all runs together"
# The scores of each protocol that the page shows, and their digits.
HEADLINES = {
    "brats-legacy": {"dice": 3, "hd95_mm": 1, "sensitivity": 3, "specificity": 4},
    "brats-2023": {"lesion_dice": 3, "lesion_hd95_mm": 1, "lesions_missed": 2, "lesions_made_up": 2},
    "brats-2026": {"lesion_dice": 3, "lesion_nsd": 3, "lesion_f1": 3, "dice": 3},
}


def write_segmentation_page(
    folders: Sequence[Path], output: Path | None, *, checkpoint: str, device: str = "auto"
) -> WrittenPage:
    """Score the runs and write segmentation.html, .md and .json.

    Args:
        folders: Runs, or sweeps of them, for instance over folds.
        output: Where the files go; None: <first folder>/report.
        checkpoint: "best" or "last".
        device: As predict.py has it.

    Raises:
        UserError: There is no such run, or its data is gone. If only some runs have no usable checkpoint, the
            page names them and shows the others.
    """
    runs, missing = open_runs(folders, task="segmenter", checkpoint=checkpoint, device=device, advice=ADVICE)
    scored = [
        segmenter_scores(run, name=name, checkpoint=checkpoint)
        for run, name in zip(runs, distinct_names(runs), strict=True)
    ]
    first = Section(warning="; ".join(missing), paragraphs=[ABOUT, _which_scans(runs, checkpoint)])
    folder = folders[0] / "report" if output is None else output
    page = write_sections(
        folder, "segmentation", "Segmenters", [first, *_sections(scored, folds=_are_folds(runs))]
    )
    content = [*(_plain(one) for one in scored), *({"missing": one} for one in missing)]
    with writing(folder / "segmentation.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return WrittenPage((*(_line(one) for one in scored), *missing), page)


def _are_folds(runs: Sequence[VolumeRun]) -> bool:
    """Whether each scan was kept from one run only, so that all runs together score each scan once."""
    ids = [case.id for run in runs for case in run.cases]
    return len(runs) > 1 and len(ids) == len(set(ids))


def _which_scans(runs: Sequence[VolumeRun], checkpoint: str) -> str:
    n, roots = sum(len(run.cases) for run in runs), sorted({str(run.data.root) for run in runs})
    part = {"test": "test part", "val": "validation part"}[runs[0].part]
    chosen = ", which also chose the best epoch" if (runs[0].part, checkpoint) == ("val", "best") else ""
    return (
        f"The segmenters are scored on {n} scans of {', '.join(roots)}: each run's {part}{chosen}. The "
        "scans are predicted as predict.py does it."
    )


def _sections(runs: Sequence[SegmenterScores], *, folds: bool) -> list[Section]:
    together = [_pooled(runs)] if folds else []
    return [
        _table_6([*runs, *together]),
        _protocols([*runs, *together]),
        *([_crop(runs)] if any(run.cut_off for run in runs) else []),
        _validation(runs),
        *([_subsets(runs)] if any(run.fitted.get("subsets") for run in runs) else []),
        _pictures(runs),
        _curves(runs),
        _cases(runs),
        settings_section([(run.name, run.settings) for run in runs]),
    ]


def _pooled(runs: Sequence[SegmenterScores]) -> SegmenterScores:
    scores = {
        protocol: {case: own for run in runs for case, own in run.scores[protocol].items()}
        for protocol in runs[0].scores
    }
    return SegmenterScores(ALL_RUNS, {}, scores, {})


def _table_6(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "Table 6: Dice of the three regions",
        paragraphs=[
            "The Dice of the whole regions of each case, as BraTS counted up to 2022: if truth and guess "
            "are both empty it is 1, if only one is it is 0. The student report's own numbers stand in "
            "small type. They are from the challenge's server, for the validation part of BraTS 2021 and a "
            "model of 30 epochs on BraTS 2020.",
            "The student report calls the tumour core necrosis. It is necrosis and enhancing tumour together "
            "(labels 1 and 4).",
        ],
        tables=[_quartiles(run) for run in runs],
    )


def _quartiles(run: SegmenterScores) -> Table:
    found = {region: summary_of(run, "brats-legacy", f"dice/{region}") for region in SEGMENTER}
    names = ("mean", "median", "25th percentile", "75th percentile")
    rows: list[list[str | Entry]] = []
    for place, name in enumerate(names):
        values = [(one.mean, one.median, *one.quartiles)[place] for one in found.values()]
        entries = [
            Entry(f"{value:.3f}", f"student report: {SEGMENTER[region][place]:.3f}")
            for region, value in zip(found, values, strict=True)
        ]
        rows.append([name, *entries])
    rows.append(["95 % of the mean", *(f"{one.low:.3f} to {one.high:.3f}" for one in found.values())])
    n = next(iter(found.values())).n
    return table_of(f"{run.name}, {n} cases", ("", *(spoken(region) for region in found)), rows)


def _protocols(runs: Sequence[SegmenterScores]) -> Section:
    tables = []
    for protocol, headlines in HEADLINES.items():
        rows = [
            [run.name, spoken(region), *_means(run, protocol, headlines, region)]
            for run in runs
            for region in run.regions
        ]
        tables.append(table_of(protocol, ("run", "region", *map(spoken, headlines)), rows))
    return Section(
        "Three protocols, which disagree",
        paragraphs=[
            "All numbers are means over the cases. brats-legacy scores whole regions. brats-2023 scores "
            "lesion by lesion; a lesion that is missed or made up has Dice 0 and HD95 374 mm. brats-2026 "
            "takes means over the lesions that were found, and leaves out cases where a score is not "
            "defined."
        ],
        tables=tables,
    )


def _means(run: SegmenterScores, protocol: str, headlines: Mapping[str, int], region: str) -> Iterator[str]:
    for name, digits in headlines.items():
        mean = summary_of(run, protocol, f"{name}/{region}").mean
        yield NOTHING if mean != mean else f"{mean:.{digits}f}"


def _crop(runs: Sequence[SegmenterScores]) -> Section:
    rows = [
        [run.name, case, f"{share:.1%}", f"{2 * (1 - share) / (2 - share):.3f}"]
        for run in runs
        for case, share in sorted(run.cut_off.items(), key=lambda pair: -pair[1])
    ]
    hit = sum(share > 0 for run in runs for share in run.cut_off.values())
    return Section(
        "What the fixed crop cuts off",
        paragraphs=[
            "The network only sees voxels 56 to 183, 56 to 183, 13 to 140. It misses all tumour outside, "
            f"which limits the Dice of the whole tumour. {hit} of {len(rows)} cases have tumour outside."
        ],
        tables=[table_of("Tumour beyond the crop", ("run", "case", "share", "largest Dice"), rows)],
    )


def _validation(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "What was fitted on the validation scans",
        paragraphs=[
            "The logits of a region are divided by its temperature. A temperature above 1 means that the "
            "network was too sure. The calibration error is the expected one over voxels that are not 0. "
            "The cleaning rule is the best of 84 by the mean Dice of the regions, if its gain exceeds its "
            "standard error. Both were fitted on each run's validation part and are stored in the "
            "checkpoint. If the scores on this page are of the same scans, they are a little too good."
        ],
        tables=[
            table_of(
                "Calibration",
                ("run", "region", "temperature", "calibration error", "without it"),
                [row for run in runs for row in _calibration_rows(run)],
            ),
            table_of(
                "Cleaning",
                ("run", "validation scans", "rule"),
                [
                    [
                        run.name,
                        str(run.fitted["validation_scans"]),
                        spoken_rule(Cleaning(**run.fitted["cleaning"])),
                    ]
                    for run in runs
                    if run.fitted
                ],
            ),
        ],
    )


def _calibration_rows(run: SegmenterScores) -> Iterator[list[str | Entry]]:
    if not run.fitted:
        return
    temperatures, errors = (run.fitted[name] for name in ("temperatures", "calibration_error"))
    for region in run.regions:
        before, after = errors[region]
        yield [run.name, spoken(region), f"{temperatures[region]:.2f}", f"{after:.4f}", f"{before:.4f}"]


def spoken_rule(rule: Cleaning) -> str:
    """A cleaning rule in words."""
    said = []
    if rule.least_part_ml:
        said.append(f"parts below {rule.least_part_ml:g} ml removed")
    if rule.fill:
        said.append("holes filled")
    if rule.least_enhancing_ml:
        said.append(f"enhancing tumour below {rule.least_enhancing_ml:g} ml counted as necrotic core")
    return ", ".join(said) or "nothing is changed"


def _subsets(runs: Sequence[SegmenterScores]) -> Section:
    tables = []
    for run in runs:
        table: Mapping[str, Mapping[str, float]] = run.fitted.get("subsets", {})
        if not table:
            continue
        first = next(iter(table.values()))
        rows: list[list[str | Entry]] = [
            [
                name.replace("+", ", "),
                *(
                    Entry(f"{own[region]:.3f}", f"{own[region] - first[region]:+.3f}")
                    for region in run.regions
                ),
            ]
            for name, own in table.items()
        ]
        tables.append(table_of(run.name, ("sequences", *(spoken(region) for region in run.regions)), rows))
    return Section(
        "What each missing sequence costs",
        paragraphs=[
            "The mean Dice on the validation scans, before cleaning, when the network gets only these "
            "sequences; beside it the difference from all sequences. Prediction refuses other subsets."
        ],
        tables=tables,
    )


def _pictures(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "Cases",
        paragraphs=["The best, the middle and the worst case by the Dice of the whole tumour."],
        pictures=[
            Picture(inline_figure(previews_figure(run.pictures, CLASSES)), run.name)
            for run in runs
            if run.pictures
        ],
    )


def _curves(runs: Sequence[SegmenterScores]) -> Section:
    pictures = []
    for run in runs:
        if run.curves:
            monitor, mode = run.monitor
            figure = curves_figure(run.curves, monitor=monitor, mode=mode)
            pictures.append(Picture(inline_figure(figure), f"{run.name}: by epoch; the best one is marked"))
    return Section("Figure 24: training", pictures=pictures)


def _cases(runs: Sequence[SegmenterScores]) -> Section:
    regions = [region for region in REGIONS if any(region in run.regions for run in runs)]
    names = [f"{name}/{region}" for name in ("dice", "hd95_mm") for region in regions]
    rows = [
        [run.name, case, *(f"{own[name]:.3f}" if name in own else NOTHING for name in names)]
        for run in runs
        for case, own in sorted(run.scores["brats-legacy"].items())
    ]
    header = ("run", "case", *(spoken(name.replace("/", " ")) for name in names))
    return Section("Every case", tables=[table_of("brats-legacy", header, rows)])


def _plain(one: SegmenterScores) -> dict[str, Any]:
    return {
        "name": one.name,
        "settings": dict(one.settings),
        "scores": {protocol: dict(cases) for protocol, cases in one.scores.items()},
        "cut_off": dict(one.cut_off),
    }


def _line(one: SegmenterScores) -> str:
    said = []
    for short, region in (("ET", "enhancing_tumor"), ("TC", "tumor_core"), ("WT", "whole_tumor")):
        summary = summary_of(one, "brats-legacy", f"dice/{region}")
        said.append(f"{short} {summary.mean:.3f} (median {summary.median:.3f})")
    return f"{one.name}: Dice {', '.join(said)}"
