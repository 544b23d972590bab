"""Command lines of which one part takes back another: an experiment's keys of a data set that is not used.

`experiment=demo_segmenter data=brats` takes the experiment's network and schedule, but its number of phantoms
is no setting of BraTS. Such keys are taken back before Hydra composes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.config.arguments import quoted
from brainseg.config.folder import conf_dir
from brainseg.config.store import register_schemas


def without_foreign_data(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments, with those in front that take an experiment's keys of another data set back.

    Settings that all data sets share, such as data.val_share, stay the experiment's; a key that is given on
    the command line stays as it is.

    Returns:
        The arguments, and a sentence if anything was taken back.
    """
    given = parsed(arguments)
    chosen = {one.key_or_group: one.value() for one in given if not one.is_sweep_override()}
    experiment, data = chosen.get("experiment"), chosen.get("data")
    if not isinstance(experiment, str) or not isinstance(data, str):
        return list(arguments), []
    groups = [f"{name}={chosen[name]}" for name in ("model", "experiment") if name in chosen]
    try:
        own, beside = composed(groups), composed([*groups, f"data={data}"])
        plainly = composed([f"model={beside.task}", f"data={data}"])
    except (HydraException, OmegaConfBaseException):
        return list(arguments), []  # Hydra says it itself
    if own.data.get("_target_") == plainly.data.get("_target_"):
        return list(arguments), []
    named = {one.key_or_group for one in given}
    back = _taken_back(_values(beside), _values(plainly), named)
    if not back:
        return list(arguments), []
    said = ", ".join(f"data.{name}={value}" for name, (value, _) in back.items())
    return [*(override for _, override in back.values()), *arguments], [
        f"experiment={experiment} is of another data set than data={data}, which leaves out {said}"
    ]


def composed(overrides: Sequence[str]) -> DictConfig:
    """The training config of some overrides, unresolved.

    Raises:
        HydraException: An override is wrong.
    """
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = compose("train", list(overrides))
    GlobalHydra.instance().clear()
    return config


def parsed(arguments: Sequence[str]) -> list[Override]:
    """The key=value among some arguments; what Hydra cannot read is left for it to say."""
    found = []
    for argument in arguments:
        try:
            if "=" in argument and not argument.startswith("-"):
                found.append(OverridesParser.create().parse_override(argument))
        except HydraException:
            continue
    return found


def written(value: Any) -> str:
    """A plain value as an override has it."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(value) if isinstance(value, str) and "${" not in value else str(value)


def _taken_back(
    beside: Mapping[str, Any], plainly: Mapping[str, Any], named: set[str]
) -> dict[str, tuple[Any, str]]:
    """For each key of an experiment that is not of this data set: its value, and the override without it."""
    shared = _shared()
    found: dict[str, tuple[Any, str]] = {}
    for name, value in beside.items():
        if f"data.{name}" in named or name in shared or (name in plainly and plainly[name] == value):
            continue
        override = f"data.{name}={written(plainly[name])}" if name in plainly else f"~data.{name}"
        found[name] = value, override
    return found


def _shared() -> set[str]:
    files: list[Path] = sorted(conf_dir().glob("data_*.yaml"))
    return {str(name) for file in files for name in OmegaConf.load(file)} - {"defaults"}


def _values(config: DictConfig) -> dict[str, Any]:
    values: dict[str, Any] = OmegaConf.to_container(config.data, enum_to_str=True)  # type: ignore[assignment]
    return values
