"""`brainseg doctor`: is this machine ready?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from brainseg.system.terminal import cell, show


def doctor(
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets, else $BRAINSEG_DATA.")] = None,
    outputs: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("outputs"),
) -> None:
    """Look at this machine: versions, device, memory, disk, W&B. Exit code 1 if something is wrong."""
    from brainseg.system.doctor import examine, is_healthy

    checks = examine(data, outputs)
    table = Table.grid(padding=(0, 2))
    for check in checks:
        mark = cell("ok", "green") if check.ok else cell("no", "bold red")
        table.add_row(mark, check.name, cell(check.value))
        if not check.ok and check.fix:
            table.add_row("", "", cell(f"fix: {check.fix}", "yellow"))
    show(table)
    raise typer.Exit(0 if is_healthy(checks) else 1)
