"""The page of `brainseg report segmentation`: table 6 and figure 24 of the report, from our own runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainseg.images.labels import CLASSES, REGIONS
from brainseg.inference import Cleaning
from brainseg.metrics.summary import Summary, summarised
from brainseg.reporting.canvas import spoken
from brainseg.reporting.curves import Curves, curves_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.previews import previews_figure
from brainseg.reporting.sections import (
    NOTHING,
    Entry,
    Picture,
    Section,
    Table,
    settings_section,
    table_of,
    write_report,
)
from brainseg.tasks.preview import Preview

ALL_RUNS = "all runs together"
# The report's table 6, of the legacy protocol: mean, median, quartiles.
REPORT = {
    "enhancing_tumor": (0.578, 0.696, 0.459, 0.801),
    "tumor_core": (0.387, 0.387, 0.245, 0.515),
    "whole_tumor": (0.745, 0.776, 0.682, 0.853),
}
# What each protocol is summed up by, and with how many digits.
HEADLINES = {
    "brats-legacy": {"dice": 3, "hd95_mm": 1, "sensitivity": 3, "specificity": 4},
    "brats-2023": {"lesion_dice": 3, "lesion_hd95_mm": 1, "lesions_missed": 2, "lesions_made_up": 2},
    "brats-2026": {"lesion_dice": 3, "lesion_nsd": 3, "lesion_f1": 3, "dice": 3},
}
Scores = Mapping[str, Mapping[str, float]]  # case -> score ("dice/whole_tumor") -> value


@dataclass(frozen=True)
class SegmenterScores:
    """A segmenter on the scans that it is judged by."""

    name: str
    settings: Mapping[str, str]
    scores: Mapping[str, Scores]  # by protocol
    fitted: Mapping[str, Any]  # what its validation part said: `tasks.validation`
    cut_off: Mapping[str, float] = field(default_factory=dict)  # share of a case's tumour beyond a fixed crop
    curves: Curves = field(default_factory=dict)
    monitor: tuple[str, Any] = ("val/dice/mean", "max")
    pictures: Sequence[Preview] = ()


def write_segment_page(
    folder: Path, runs: Sequence[SegmenterScores], scans: str, *, folds: bool, missing: Sequence[str] = ()
) -> Path:
    """Write segmentation.html and segmentation.md.

    Args:
        folder: Where they go.
        runs: At least one.
        scans: One sentence that says which scans they were judged by.
        folds: Each scan was kept from one run only, so that all runs make up one judgement.
        missing: A sentence for each run that should be here and is not.
    """
    together = [_pooled(runs)] if folds else []
    sections = [
        Section(warning="; ".join(missing), paragraphs=[scans]),
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
    return write_report(folder, "segmentation", "Segmenters", sections)


def _pooled(runs: Sequence[SegmenterScores]) -> SegmenterScores:
    scores = {
        protocol: {case: own for run in runs for case, own in run.scores[protocol].items()}
        for protocol in runs[0].scores
    }
    return SegmenterScores(ALL_RUNS, {}, scores, {})


def summary_of(run: SegmenterScores, protocol: str, score: str) -> Summary:
    return summarised([case[score] for case in run.scores[protocol].values()])


def _table_6(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "Table 6: Dice of the three regions",
        paragraphs=[
            "Whole regions of each case, as BraTS counted them up to 2022: where truth and guess are both "
            "empty the Dice is 1, where one is, 0. In small type the report's own numbers, which come from "
            "the challenge's server for BraTS 2021's validation part and from a model of 30 epochs on BraTS "
            "2020."
        ],
        points=[
            "Its tumour core is explained as necrosis; it is necrosis and enhancing tumour (labels 1 and 4).",
            "Its mean and median of the tumour core are both 0.387, which looks like a copied number; nor is "
            "a core below the enhancing tumour, which it contains, what others find (BraTS 2020's winner: "
            "enhancing 0.820, core 0.851, whole 0.890).",
        ],
        tables=[_quartiles(run) for run in runs],
    )


def _quartiles(run: SegmenterScores) -> Table:
    found = {region: summary_of(run, "brats-legacy", f"dice/{region}") for region in REPORT}
    names = ("mean", "median", "25th percentile", "75th percentile")
    rows: list[list[str | Entry]] = []
    for place, name in enumerate(names):
        values = [(one.mean, one.median, *one.quartiles)[place] for one in found.values()]
        entries = [
            Entry(f"{value:.3f}", f"report: {REPORT[region][place]:.3f}")
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
            for region in REGIONS
        ]
        tables.append(table_of(protocol, ("run", "region", *map(spoken, headlines)), rows))
    return Section(
        "Three protocols, which disagree",
        paragraphs=[
            "Means over the cases. brats-legacy counts whole regions; brats-2023 lesion by lesion, and a "
            "lesion that is missed or made up has Dice 0 and HD95 374 mm; brats-2026 takes means over the "
            "lesions that were found, and leaves out cases where a score has no meaning."
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
            "The network never sees what lies beyond voxels 56 to 183, 56 to 183, 13 to 140. Tumour there is "
            f"lost, and bounds the Dice of the whole tumour. {hit} of {len(rows)} cases lose some."
        ],
        tables=[table_of("Tumour beyond the crop", ("run", "case", "share", "largest Dice"), rows)],
    )


def _validation(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "What the validation scans said",
        paragraphs=[
            "Temperatures divide the logits of a region's probability; above 1 the network was too sure. The "
            "calibration error is the expected one over voxels that are not 0. The cleaning rule is the best "
            "of 84 by the mean Dice of the regions, if its gain exceeds its standard error. Both were fitted "
            "on each run's validation part and travel with the model; where that part is also what is scored "
            "here, the scores flatter by so much."
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
                        said_of(Cleaning(**run.fitted["cleaning"])),
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
    for region in REGIONS:
        before, after = errors[region]
        yield [run.name, spoken(region), f"{temperatures[region]:.2f}", f"{after:.4f}", f"{before:.4f}"]


def said_of(rule: Cleaning) -> str:
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
                *(Entry(f"{own[region]:.3f}", f"{own[region] - first[region]:+.3f}") for region in REGIONS),
            ]
            for name, own in table.items()
        ]
        tables.append(table_of(run.name, ("sequences", *(spoken(region) for region in REGIONS)), rows))
    return Section(
        "What each missing sequence costs",
        paragraphs=[
            "Mean Dice on the validation scans, before cleaning, when only these sequences are shown; the "
            "difference from all of them. Other subsets are refused in prediction."
        ],
        tables=tables,
    )


def _pictures(runs: Sequence[SegmenterScores]) -> Section:
    return Section(
        "Cases",
        paragraphs=["The best, the middle and the worst by Dice of the whole tumour."],
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
    names = [f"{name}/{region}" for name in ("dice", "hd95_mm") for region in REGIONS]
    rows = [
        [run.name, case, *(f"{own[name]:.3f}" for name in names)]
        for run in runs
        for case, own in sorted(run.scores["brats-legacy"].items())
    ]
    header = ("run", "case", *(spoken(name.replace("/", " ")) for name in names))
    return Section("Every case", tables=[table_of("brats-legacy", header, rows)])
