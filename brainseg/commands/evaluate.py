"""`brainseg evaluate`: masks and label maps against the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from brainseg.config.choices import Protocol
from brainseg.files.there import refuse_nothing_at
from brainseg.system.terminal import cell, say, show


def evaluate(
    truth: Annotated[
        Path, typer.Argument(help="A true mask or label map, or a folder of them; or a table of types.")
    ],
    guess: Annotated[Path, typer.Argument(help="A mask or label map, or what predict.py wrote.")],
    task: Annotated[
        Literal["skullstrip", "segment", "classify"],
        typer.Option(help="What the masks are of; or types, from a table of participant_id and tumor_type."),
    ] = "skullstrip",
    protocol: Annotated[
        Protocol, typer.Option(help="For tumours: brats-2023 and brats-2026 count lesion by lesion.")
    ] = "brats-legacy",
    labels: Annotated[str, typer.Option(help="Convention of all tumour labels, as data.labels.")] = "auto",
    labels_truth: Annotated[str, typer.Option(help="That of the true labels alone.")] = "",
    labels_guess: Annotated[str, typer.Option(help="That of the predicted labels alone.")] = "",
    regions: Annotated[
        str, typer.Option(help="Regions to score, with commas between them: whole_tumor,resection_cavity.")
    ] = "",
    output: Annotated[Path | None, typer.Option(help="Where scores.csv and scores.json go.")] = None,
) -> None:
    """Masks, tumour labels or types against true ones: scores of each, and of all with intervals of 95 %."""
    for path in (truth, guess):
        refuse_nothing_at(path)
    if task == "skullstrip":
        faults = _evaluate_brains(truth, guess, output)
    elif task == "classify":
        faults = _evaluate_types(truth, guess, output)
    else:
        asked = [name.strip() for name in regions.split(",") if name.strip()]
        conventions = labels_truth or labels, labels_guess or labels
        faults = _evaluate_tumors(truth, guess, protocol, conventions, asked, output)
    for fault in faults:
        say(fault, error=True)
    if faults:
        raise typer.Exit(min(len(faults), 100))


def _evaluate_brains(truth: Path, guess: Path, output: Path | None) -> list[str]:
    from brainseg.evaluation.brains import SCORES, evaluate_brains, write_brain_evaluation

    found = evaluate_brains(truth, guess)
    table = Table("scan", *(name.replace("_", " ") for name in SCORES))
    for case in found.cases:
        values = [f"{case.scores[name]:.3f}" for name in SCORES] if case.scores else [""] * len(SCORES)
        table.add_row(cell(case.name), *values)
    if found.medians:
        intervals = [f"{m:.3f}\n{low:.3f} to {high:.3f}" for m, low, high in found.medians.values()]
        table.add_section()
        table.add_row("median\n95 %", *intervals)
    show(table)
    if output is not None:
        write_brain_evaluation(found, output)
    return [f"{case.name}: {case.fault}" for case in found.faults]


def _evaluate_types(truth: Path, guess: Path, output: Path | None) -> list[str]:
    from brainseg.evaluation.types import evaluate_types, write_type_evaluation

    found = evaluate_types(truth, guess)
    table = Table("score", "subjects", "mean", "95 %")
    for name, one in found.means.items():
        between = "-" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"
        table.add_row(name.replace("_", " "), str(one.cases), f"{one.value:.3f}", between)
    show(table)
    if output is not None:
        write_type_evaluation(found, output)
    return [f"{case.name}: {case.fault}" for case in found.faults]


def _evaluate_tumors(
    truth: Path,
    guess: Path,
    protocol: str,
    labels: tuple[str, str],
    regions: Sequence[str],
    output: Path | None,
) -> list[str]:
    from brainseg.evaluation.tumors import evaluate_tumors, write_tumor_evaluation

    found = evaluate_tumors(truth, guess, protocol, labels[0], guess_labels=labels[1], regions=regions)
    table = Table("score", "cases", "mean", "95 %", "median", "quartiles", title=protocol)
    for name, one in found.summaries.items():
        spread = f"{one.low:.3f} to {one.high:.3f}", f"{one.median:.3f}"
        quartiles = "{:.3f} to {:.3f}".format(*one.quartiles)
        table.add_row(name.replace("_", " "), str(one.n), f"{one.mean:.3f}", *spread, quartiles)
    show(table)
    for suspicion in found.suspicions:
        say(f"look at this: {suspicion}")
    if output is not None:
        write_tumor_evaluation(found, output)
    return [f"{case.name}: {case.fault}" for case in found.faults]
