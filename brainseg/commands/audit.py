"""`brainseg audit`: are the slices of the classifier fit to be used?"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainseg.system.terminal import say

if TYPE_CHECKING:
    from brainseg.data import KaggleSlices


def audit(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="As for train: data.root=DIR, or data=phantom."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where audit.html and audit.json go, else outputs/audit/<time>.")
    ] = None,
) -> None:
    """Look at the classifier's slices: unreadable files, copies, copies in two classes or in both parts."""
    from brainseg.data.audit import audit_slices
    from brainseg.reporting.audit import summary, write_audit

    slices = _slices(overrides or [])
    found = audit_slices(slices.root, list(slices.recipe.classes), slices.cache)
    folder = output or Path("outputs") / "audit" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    page = write_audit(found, folder)
    say(*summary(found), f"page: {page}", f"all pairs: {page.with_name('audit.json')}")


def _slices(overrides: list[str]) -> "KaggleSlices":
    """The slices that `train` would use with these overrides; phantoms are written if they are not there.

    Raises:
        ConfigError: An override is wrong, or the model learns from something else than slices.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from brainseg.config import ConfigError, check, conf_dir, explain, register_schemas
    from brainseg.data import KaggleSlices, PhantomData, composed_data

    register_schemas()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            cfg = compose("train", overrides)
        check(cfg)
        data = composed_data(cfg)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from None
    slices = data.inner if isinstance(data, PhantomData) else data
    if not isinstance(slices, KaggleSlices):
        raise ConfigError(
            f"model={cfg.task} learns from {type(slices).__name__}, but only slices can be audited so far: "
            "model=classifier with data=kaggle or data=phantom"
        )
    if isinstance(data, PhantomData):
        data.write()
    return slices
