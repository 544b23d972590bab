"""`brainseg export`: a trained model for programs without torch."""

from pathlib import Path
from typing import Annotated

import typer

from brainseg.system.terminal import say


def export(
    models: Annotated[
        list[Path],
        typer.Argument(help="A checkpoint, a run or a sweep; several segmenters answer together."),
    ],
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.")],
) -> None:
    """Write a model as ONNX, its preparation as JSON, and run.py, which uses both without torch."""
    from brainseg.export.folder import export as export_model
    from brainseg.export.folder import refuse_early

    refuse_early(folder)
    for path in export_model(models, folder):
        say(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
