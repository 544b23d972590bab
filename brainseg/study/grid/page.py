"""`brainseg study grid`: grid.html, grid.md and grid.csv from the folder of a sweep."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainseg.config.errors import UserError
from brainseg.files.atomic import writing
from brainseg.reporting.sections import WrittenPage, write_sections
from brainseg.study.grid.intervals import Estimate
from brainseg.study.grid.results import CellResult, by_accuracy, results_of
from brainseg.study.grid.sections import best_said, jobs_said, sections_of
from brainseg.study.grid.sweep import read_runs, read_sweep
from brainseg.study.published import Cell, published_cell, rank


def write_grid_page(
    folder: Path, output: Path | None = None, cell: str | None = None, failure: Path | None = None
) -> WrittenPage:
    """Write the page of a sweep that has ended or still runs.

    Args:
        folder: The sweep's, with multirun.yaml.
        output: Where the three files go; None: <folder>/report.
        cell: Whose curves are drawn, as backbone,loss,optimizer; None: the one with the best accuracy.
        failure: A run or a sweep with EfficientNetB0's input scaled twice, to show beside the sweep.

    Raises:
        UserError: `folder` or `failure` holds no such runs, or the sweep has no such cell.
    """
    sweep = read_sweep(folder)
    results = results_of(sweep.runs)
    failed = [] if failure is None else read_runs(failure)
    sections = sections_of(sweep, results, _chosen(results, cell), failed)
    output = folder / "report" if output is None else output
    title = f"Classifier grid: {folder.resolve().name}"
    page = write_sections(output, "grid", title, sections)
    _write_csv(output / "grid.csv", results)
    return WrittenPage((f"{folder}: {jobs_said(sweep)}", best_said(results)), page)


def _chosen(results: Sequence[CellResult], cell: str | None) -> CellResult | None:
    if cell is None:
        ranking = by_accuracy(results)
        return ranking[0].result if ranking else None
    names = [name.strip() for name in cell.split(",")]
    for result in results:
        if names == list(result.cell):
            return result
    known = [sorted({result.cell[part] for result in results}) for part in range(len(Cell._fields))]
    there = "; ".join(f"{part} {', '.join(found)}" for part, found in zip(Cell._fields, known, strict=True))
    raise UserError(
        f"--cell {cell} is not a cell of this sweep; give backbone,loss,optimizer out of: {there}"
    )


def _write_csv(path: Path, results: Sequence[CellResult]) -> None:
    """A row for each cell; empty where there is no number."""
    places = {ranked.result.name: ranked for ranked in by_accuracy(results)}
    rows = [_csv_row(result) for result in results]
    for result, row in zip(results, rows, strict=True):
        ranked = places.get(result.name)
        row |= {
            "place": ranked.place if ranked else None,
            "like_best": ranked.like_best if ranked else None,
        }
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _csv_row(result: CellResult) -> dict[str, Any]:
    theirs, best = published_cell(result.cell), result.best_accuracy
    published = result.published
    return {
        **result.cell._asdict(),
        "varied": result.varied,
        "runs_wanted": len(result.runs),
        "runs_done": len(result.used),
        "runs_collapsed": result.n_collapsed,
        "missing": result.missing,
        **_columns("val_accuracy", result.accuracy),
        "interval": result.accuracy.how if result.accuracy else None,
        **_columns("val_loss", result.loss),
        "val_accuracy_best_epoch": best.mean if best else None,
        "report_accuracy": published.accuracy if published else None,
        "report_loss": published.loss if published else None,
        "report_place": rank(theirs) if theirs else None,
    }


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
