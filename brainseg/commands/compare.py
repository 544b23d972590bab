"""`brainseg compare`: runs side by side; `brainseg score`: a model on other data."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainseg.config.arguments import refuse_no_choice
from brainseg.config.errors import ConfigError
from brainseg.system.terminal import say

if TYPE_CHECKING:
    from omegaconf import DictConfig


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
    along: Annotated[
        str | None,
        typer.Option(
            help="A key with numbers, as data.patients: a curve of the score by its value, and along.png."
        ),
    ] = None,
) -> None:
    """Runs side by side: what differs, scores with intervals, paired differences, curves, cost."""
    from brainseg.compare.page import write_comparison

    keys = tuple(key.strip() for key in over.split(",") if key.strip())
    page = write_comparison(folders, output, metric=metric, over=keys, along=along)
    say(*page.lines, f"page: {page.path}")


def score(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... KEY=VALUE...",
            help="Checkpoints, runs or sweeps, then the data as for train: data=lgg data.root=DIR.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Where the page, scores.json and cases.csv go, else outputs/scores/<time>."),
    ] = None,
    device: Annotated[str, typer.Option(help="As predict.py has it: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """A trained model on any labelled data of its task: an external test, with intervals and a page.

    Several segmenters answer together. All cases of the data are scored.
    """
    models = [Path(word) for word in words if Path(word).exists() or "=" not in word]
    overrides = [word for word in words if not Path(word).exists() and "=" in word]
    if not models:
        raise ConfigError("no model is given: brainseg score MODEL data=NAME data.root=DIR")
    refuse_no_choice("train", overrides)
    from brainseg.compare.external import models_of, score_external
    from brainseg.compare.external_page import write_external
    from brainseg.system.device import best_device

    loaded = models_of(models, best_device(device))
    task = next(iter(loaded.values())).task
    found = score_external(loaded, _composed([f"model={task}", *overrides]))
    folder = output or Path("outputs") / "scores" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    page = write_external(found, folder)
    say(*page.lines, f"page: {page.path}")


def _composed(overrides: list[str]) -> "DictConfig":
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from brainseg.config import explain
    from brainseg.config.arguments import quoted_paths
    from brainseg.config.beside import composed

    try:
        return composed(quoted_paths(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from None
