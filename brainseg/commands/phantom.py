"""`brainseg phantom`: synthetic patients in the file layout of a real data set."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from brainseg.config.choices import Contrast, PhantomLayout
from brainseg.config.counted import counted
from brainseg.system.terminal import say

# What to do with a cohort that was just written: {root} is its folder.
NEXT_COMMAND: dict[PhantomLayout, str] = {
    "brats": "python train.py model=segmenter data.root={root}",
    "brats-post": "python train.py model=segmenter segmenter.cavity=true data.root={root}",
    "msd": "python train.py model=segmenter data.root={root}",
    "nfbs": "python train.py model=skullstripper data.root={root}",
    "kaggle": "python train.py model=classifier data.root={root}",
    "types": "python train.py model=volume_classifier data=volumes data.root={root}",
    "bids": "python predict.py input={root} skullstripper=A.ckpt classifier=B.ckpt segmenter=C.ckpt",
}


def phantom(
    folder: Annotated[Path, typer.Argument(help="Where the cohort is written; made if it is not there.")],
    layout: Annotated[PhantomLayout, typer.Option(help="Whose file names to use.")] = "brats",
    subjects: Annotated[int, typer.Option(min=1, help="How many heads.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same heads.")] = 0,
    spacing_mm: Annotated[float, typer.Option(min=0.5, max=8.0, help="Side of a voxel, millimetres.")] = 1.0,
    contrast: Annotated[
        Contrast, typer.Option(help="Brightness of the tissues; random: every tissue any brightness.")
    ] = "realistic",
    operated_share: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="For brats-post: share of the gliomas that are seen after surgery."
        ),
    ] = 0.0,
) -> None:
    """Write a cohort of synthetic heads with exact truth, to try everything without a download."""
    import shlex

    from rich.progress import Progress

    from brainseg.phantom import write_cohort

    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("heads", total=subjects)
        ids = write_cohort(
            folder,
            layout=layout,
            subjects=subjects,
            seed=seed,
            spacing_mm=spacing_mm,
            contrast=contrast,
            operated_share=operated_share,
            progress=lambda written, total: bar.update(task, completed=written, total=total),
        )
    files = [file for file in folder.rglob("*") if file.is_file()]
    size_mb = sum(file.stat().st_size for file in files) / 2**20
    written = f"{counted(len(ids), 'subject')} in {layout} layout, {counted(len(files), 'file')}"
    say(f"{folder}: {written}, {size_mb:.0f} MiB")
    say("next: " + NEXT_COMMAND[layout].format(root=shlex.quote(str(folder))))
