"""`brainseg verify`, `reproduce`, `bids` and `view`: what can be done with the results of predict.py."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from brainseg.config.counted import counted
from brainseg.files.there import refuse_nothing_at
from brainseg.system.terminal import followed, say

Results = Annotated[Path, typer.Argument(help="What predict.py wrote: one subject's folder, or all.")]


def verify(folder: Results) -> None:
    """Name each file of a result, its inputs and models that has changed since; exit code 1 if one has."""
    refuse_nothing_at(folder)
    from brainseg.results.read import result_folders
    from brainseg.results.verify import batch_changes, changes

    folders = result_folders(folder)
    problems = [problem for one in followed(folders, "comparing files") for problem in changes(one)]
    if folders != [folder]:
        problems += batch_changes(folder)
    for problem in problems:
        say(problem, error=True)
    if problems:
        raise typer.Exit(1)
    say(f"{folder}: nothing has changed in {counted(len(folders), 'result')}, their inputs and models")


def reproduce(folder: Results) -> None:
    """Predict again from what result.json names, and compare bit for bit. Exit code 1 if anything differs."""
    refuse_nothing_at(folder)
    from brainseg.prediction.reproduce import reproduce as differences
    from brainseg.results.read import result_folders

    differing = 0
    for one in result_folders(folder):
        found = differences(one)
        differing += bool(found)
        say(*[f"{one.name}: {line}" for line in found or ["the same, bit for bit"]])
    if differing:
        raise typer.Exit(1)


def bids(
    results: Results,
    folder: Annotated[Path, typer.Argument(help="The data set's: new, or of an earlier call.")],
) -> None:
    """Results as BIDS derivatives, as predict.py derivatives=DIR writes them. Exit code 1 if all failed."""
    refuse_nothing_at(results)
    from brainseg.bids.dataset import write_derivatives

    written = write_derivatives(results, folder)
    say(*written.lines())
    if not written.subjects:
        raise typer.Exit(1)


def view(
    folder: Results,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
) -> None:
    """Show the pages of the results to a browser on this machine only (127.0.0.1), until Ctrl+C."""
    refuse_nothing_at(folder)
    from brainseg.reporting.serve import server_of

    server, address = server_of(folder, port)
    say(address, "Ctrl+C ends it")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # here it is the way to end, with exit code 0
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
