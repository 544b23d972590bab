"""`brainseg dashboard`: heat map, box plots and curves of a set of runs."""

from pathlib import Path
from typing import Annotated

import typer

from brainseg.system.terminal import say


def dashboard(
    folders: Annotated[list[Path], typer.Argument(help="Runs, sweeps, or folders of them.")],
    output: Annotated[
        Path | None, typer.Option(help="Where dashboard.html and dashboard.md go, else the first folder.")
    ] = None,
    wandb: Annotated[
        str | None,
        typer.Option(help="ENTITY/PROJECT: build a workspace there too, in which the runs are."),
    ] = None,
) -> None:
    """Runs at a glance: a heat map of their grid, box plots, curves over each other; in W&B too if asked."""
    from brainseg.compare.dashboard import run_sets, write_dashboard
    from brainseg.compare.wandb_workspace import write_workspace

    place, sets = output or folders[0], run_sets(folders)
    page = write_dashboard(sets, place)
    say(*page.lines, f"page: {page.path}")
    if wandb is not None:
        say(f"workspace: {write_workspace(wandb, sets, place / 'workspace.json')}")
