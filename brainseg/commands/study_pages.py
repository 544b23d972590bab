"""`brainseg study`: the tables and figures of the student report, made again from our own runs.

The student report is the document whose models and experiments brainseg makes again.
"""

from pathlib import Path
from typing import Annotated

import typer

from brainseg.config.choices import KeptCheckpoint
from brainseg.files.there import refuse_nothing_at
from brainseg.system.terminal import say

study = typer.Typer(
    help="The tables and figures of the student report from our own runs, its numbers beside ours.",
    no_args_is_help=True,
)

Device = Annotated[str, typer.Option(help="As predict.py has it: auto, cpu, cuda or mps.")]


@study.command()
def grid(
    folder: Annotated[
        Path, typer.Argument(help="A sweep of the classifier, ended or not: outputs/sweeps/...")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where grid.html, grid.md and grid.csv go, else FOLDER/report.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Whose curves and confusion matrix are drawn: backbone,loss,optimizer; else the best."
        ),
    ] = None,
    failure: Annotated[
        Path | None, typer.Option(help="Run or sweep of experiment=report_efficientnet_failure.")
    ] = None,
) -> None:
    """The classifier grid: tables 1 to 3, figures 7 to 9 and 12 to 14, beside the published numbers."""
    refuse_nothing_at(folder)
    from brainseg.study.grid.page import write_grid_page

    page = write_grid_page(folder, output, cell, failure)
    say(*page.lines, f"page: {page.path}")


@study.command()
def classifier(
    folder: Annotated[Path, typer.Argument(help="A run of the classifier: outputs/classifier/...")],
    output: Annotated[
        Path | None, typer.Option(help="Where classifier.html and classifier.md go, else FOLDER/report.")
    ] = None,
) -> None:
    """A run of the classifier: scores with intervals, calibration, mistakes, and both splits side by side."""
    refuse_nothing_at(folder)
    from brainseg.study.classifier_page import write_classifier_page

    page = write_classifier_page(folder, output)
    say(*page.lines, f"page: {page.path}")


@study.command()
def skullstrip(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs of the skull stripper, or sweeps: outputs/skullstripper/...")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Where skullstrip.html, .md and .json go, else the first FOLDER/report."),
    ] = None,
    checkpoint: Annotated[
        KeptCheckpoint, typer.Option(help="last is the one that the student report kept.")
    ] = "best",
    patches: Annotated[int, typer.Option(min=1, help="Random patches of each head that are scored.")] = 128,
    device: Device = "auto",
) -> None:
    """Tables 4 and 5, figure 1: skull strippers scored on random patches and on whole heads, beside Otsu."""
    for folder in folders:
        refuse_nothing_at(folder)
    from brainseg.study.stripper_page import write_skullstrip_page

    page = write_skullstrip_page(folders, output, checkpoint=checkpoint, patches=patches, device=device)
    say(*page.lines, f"page: {page.path}")


@study.command()
def segmentation(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs of the segmenter, or sweeps of folds: outputs/segmenter/...")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Where segmentation.html, .md and .json go, else the first FOLDER/report."),
    ] = None,
    checkpoint: Annotated[KeptCheckpoint, typer.Option(help="Which one of each run.")] = "best",
    device: Device = "auto",
) -> None:
    """Table 6 and figure 24: segmenters scored by three protocols on scans that were kept from them."""
    for folder in folders:
        refuse_nothing_at(folder)
    from brainseg.study.segmenter_page import write_segmentation_page

    page = write_segmentation_page(folders, output, checkpoint=checkpoint, device=device)
    say(*page.lines, f"page: {page.path}")
