"""`brainseg audit`: are the slices, or the scans, of a data set fit to be used?"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainseg.system.terminal import say

if TYPE_CHECKING:
    from brainseg.data import KaggleSlices, VolumesByType
    from brainseg.data.volumes import VolumeData


def audit(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="As for train: data.root=DIR, or data=phantom."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where audit.html and audit.json go, else outputs/audit/<time>.")
    ] = None,
) -> None:
    """Look at a data set: unreadable files, copies, copies in two classes or in both parts.

    For data=brats, nfbs, lgg and volumes it says what becomes of every file: used, copy, left out,
    unreadable; for volumes also which scans are there twice, under two classes above all.
    """
    data = _data(overrides or [])
    from brainseg.data import KaggleSlices, VolumesByType  # load torch: once the config is known to be good
    from brainseg.data.volumes import VolumeData

    if isinstance(data, VolumeData):
        _say_files(data)
        if isinstance(data, VolumesByType):
            _say_same_scans(data)
    elif isinstance(data, KaggleSlices):
        _audit_slices(data, output)


def _say_files(data: "VolumeData") -> None:
    """A table of all files below the root, as `python predict.py dry_run=true` prints it."""
    from brainseg.prediction.dry_run import say_files

    say_files(data.survey(), data.root)


def _say_same_scans(data: "VolumesByType") -> None:
    from brainseg.data.same_scans import sentences

    say(*sentences(data.found_subjects(), data.types))


def _audit_slices(slices: "KaggleSlices", output: Path | None) -> None:
    from brainseg.data.audit import audit_slices
    from brainseg.reporting.audit import summary, write_audit

    found = audit_slices(slices.root, list(slices.recipe.classes), slices.cache)
    folder = output or Path("outputs") / "audit" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    page = write_audit(found, folder)
    say(*summary(found), f"page: {page}", f"all pairs: {page.with_name('audit.json')}")


def _data(overrides: list[str]) -> "KaggleSlices | VolumeData":
    """The data that `train` would use with these overrides; phantoms are written if they are not there.

    Raises:
        ConfigError: An override is wrong, or the model learns from something else than files.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from brainseg.config import ConfigError, check, conf_dir, explain, register_schemas
    from brainseg.config.arguments import refuse_no_choice
    from brainseg.training.early import refuse_bad_data

    register_schemas()
    refuse_no_choice("train", overrides)
    overrides = [*_model_for(overrides), *overrides]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            cfg = compose("train", overrides)
        check(cfg)
        refuse_bad_data(cfg)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, overrides)) from None
    from brainseg.data import KaggleSlices, PhantomData, composed_data  # loads torch
    from brainseg.data.volumes import VolumeData

    data = composed_data(cfg)
    files = data.inner if isinstance(data, PhantomData) else data
    if not isinstance(files, KaggleSlices | VolumeData):
        raise ConfigError(
            f"model={cfg.task} learns from {type(files).__name__}, which has no files; give data=kaggle, "
            "data=brats, data=nfbs, data=lgg, data=volumes or data=phantom"
        )
    if isinstance(data, PhantomData):
        data.write()
    return files


def _model_for(overrides: list[str]) -> list[str]:
    """The model that learns from a data set, where none is named."""
    models = {
        "data=brats": ["model=segmenter"],
        "data=nfbs": ["model=skullstripper"],
        "data=volumes": ["model=volume_classifier"],
        "data=lgg": ["model=segmenter", "segmenter.preprocess.modalities=[flair]"],
    }
    if any(one.startswith("model=") for one in overrides):
        return []
    return [value for one in overrides for value in models.get(one, [])]
