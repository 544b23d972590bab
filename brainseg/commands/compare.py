"""`brainseg compare`: runs side by side; `brainseg score`: a model on other data."""

from pathlib import Path
from typing import Annotated

import typer

from brainseg.system.terminal import say


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN|SWEEP...", help="Runs or sweeps of one model, ended or not.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where compare.html, .md and .csv go, else the first FOLDER/report.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Of the validation part, as dice/tumor_core; else the one that chose checkpoints."),
    ] = None,
    over: Annotated[
        str, typer.Option(help="Keys in which runs of one setting may differ: seed,data.fold.")
    ] = "seed",
) -> None:
    """Runs side by side: what differs, scores with intervals, paired differences, curves, cost."""
    from brainseg.compare.page import write_comparison

    keys = tuple(key.strip() for key in over.split(",") if key.strip())
    page = write_comparison(folders, output, metric=metric, over=keys)
    say(*page.lines, f"page: {page.path}")
