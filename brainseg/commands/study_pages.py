"""`brainseg study`: the tables and figures of the student report, made again from our own runs.

The student report is the document whose models and experiments brainseg makes again.
"""

from pathlib import Path
from typing import Annotated

import typer

from brainseg.config.choices import KeptCheckpoint
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
    from brainseg.study.grid import write_grid_report

    summary = write_grid_report(folder, output, cell, failure)
    say(f"{folder}: {summary.jobs}", summary.best, f"page: {summary.page}")


@study.command()
def classifier(
    folder: Annotated[Path, typer.Argument(help="A run of the classifier: outputs/classifier/...")],
    output: Annotated[
        Path | None, typer.Option(help="Where classifier.html and classifier.md go, else FOLDER/report.")
    ] = None,
) -> None:
    """A run of the classifier: scores with intervals, calibration, mistakes, and both splits side by side."""
    from brainseg.study.classifier import write_classifier_report

    summary = write_classifier_report(folder, output)
    say(*summary.lines, f"page: {summary.page}")


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
    from brainseg.study.strippers import write_strip_report

    summary = write_strip_report(folders, output, checkpoint, patches, device)
    say(*summary.lines, f"page: {summary.page}")


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
    from brainseg.study.segmenters import write_segment_report

    summary = write_segment_report(folders, output, checkpoint, device)
    say(*summary.lines, f"page: {summary.page}")
