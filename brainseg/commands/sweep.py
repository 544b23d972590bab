"""`brainseg sweep`: how far a sweep is, whatever runs its jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainseg.system.terminal import console, say, show

if TYPE_CHECKING:
    from brainseg.sweeps.ledger import Ledger

FAILED = 4  # as of train.py -m
EVERY_S = 2.0


def sweep(
    folder: Annotated[Path, typer.Argument(help="The folder of a sweep (train.py -m ...).")],
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew until all jobs have ended.")] = False,
) -> None:
    """Show each job of a sweep: state, epoch, metric, seconds, end. Exit code 4 if a job has failed."""
    from brainseg.sweeps.job import State
    from brainseg.sweeps.ledger import read_ledger
    from brainseg.sweeps.table import end_lines, table

    ledger = _watched(folder) if watch else read_ledger(folder)
    show(table(ledger))
    say(*end_lines(folder, ledger))
    if ledger.count(State.failed):
        raise typer.Exit(FAILED)


def _watched(folder: Path) -> "Ledger":
    """The ledger once the sweep has ended; until then it is shown, in a terminal in one place."""
    from rich.live import Live

    from brainseg.runs.lock import is_swept
    from brainseg.sweeps.job import State
    from brainseg.sweeps.ledger import read_ledger
    from brainseg.sweeps.table import table

    ledger = read_ledger(folder)
    with Live(table(ledger), console=console(), auto_refresh=False, transient=True) as live:
        while ledger.count(State.running) or is_swept(folder):
            time.sleep(EVERY_S)
            ledger = read_ledger(folder)
            live.update(table(ledger), refresh=True)
    return ledger
