"""Data modules by the names that a config gives them: ours, built from plain values, and nothing else.

A run's config may come from elsewhere, and whoever instantiates what its `_target_` says runs what it says.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.config import plain
from brainseg.config.check import as_section
from brainseg.config.errors import ConfigError
from brainseg.data.brats import BraTSVolumes
from brainseg.data.heads import PaintedHeads
from brainseg.data.kaggle import KaggleSlices
from brainseg.data.lgg import LGGVolumes
from brainseg.data.nfbs import NFBSVolumes
from brainseg.data.phantom import PhantomData
from brainseg.data.settings import DataSettings
from brainseg.data.tumours import PaintedTumours
from brainseg.data.typed_volumes import VolumesByType
from brainseg.data.types import PaintedTypes

_OURS: dict[str, type[pl.LightningDataModule]] = {
    f"brainseg.data.{one.__name__}": one
    for one in (
        BraTSVolumes,
        KaggleSlices,
        LGGVolumes,
        NFBSVolumes,
        PaintedHeads,
        PaintedTumours,
        PaintedTypes,
        PhantomData,
        VolumesByType,
    )
}
_SHARED = {field.name for field in fields(DataSettings)}


def composed_data(cfg: DictConfig) -> Any:
    """The data module of a composed training config.

    Raises:
        ConfigError: As for `data_of`.
    """
    return data_of(plain(cfg.data), OmegaConf.to_object(cfg[cfg.task]))


def data_of(section: Mapping[str, Any], recipe: Any) -> Any:
    """The data module that the section `data` of a config describes.

    Args:
        section: Plain values, with the class under `_target_`.
        recipe: The task's section as its class; the `recipe` that sections of earlier runs hold is not read.

    Raises:
        ConfigError: The class is none of ours, or a setting is missing, unknown or of another kind.
    """
    given = {name: value for name, value in section.items() if name not in ("_target_", "recipe")}
    made = _class_of(section.get("_target_"))
    hints = _hints_of(made)
    for name, value in given.items():
        _check(name, value, hints)
    shared = {name: value for name, value in given.items() if name in _SHARED}
    own = {n: _built(n, value, hints[n]) for n, value in given.items() if n not in _SHARED}
    try:
        return made(recipe=recipe, settings=DataSettings(**shared), **own)
    except (TypeError, KeyError, AttributeError) as error:  # a setting, or the recipe, is of another class
        raise ConfigError(f"data does not fit {made.__name__}: {error}") from error


def _class_of(target: Any) -> type[pl.LightningDataModule]:
    if not isinstance(target, str) or target not in _OURS:
        raise ConfigError(
            f"data._target_ is {str(target)[:100]}, which is not built: it is none of brainseg's data, "
            f"{', '.join(sorted(_OURS))}"
        )
    return _OURS[target]


def _hints_of(made: type[pl.LightningDataModule]) -> dict[str, Any]:
    """The annotation of each setting; within which bounds it may be is said by the class that has it."""
    own = get_type_hints(made.__init__)
    for name in ("recipe", "settings", "return"):
        own.pop(name, None)
    return get_type_hints(DataSettings) | own


def _members(hint: Any) -> tuple[Any, ...]:
    """The annotations of a union, or the one; an int is a float too."""
    if isinstance(hint, UnionType):
        return tuple(one for member in get_args(hint) for one in _members(member))
    return (int, float) if hint is float else (hint,)


def _built(name: str, value: Any, hint: Any) -> Any:
    """A setting; a section of settings as its class.

    Raises:
        ConfigError: A setting within is missing, unknown or out of bounds.
    """
    schema = next((one for one in _members(hint) if is_dataclass(one)), None)
    if not isinstance(schema, type) or value is None:
        return value
    try:
        return as_section(schema, value)
    except ConfigError as error:
        raise ConfigError(f"data.{error}") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"data.{name} is {str(value)[:100]}: {str(error).splitlines()[0]}") from None


def _fits(value: Any, hint: Any) -> bool:
    for one in _members(hint):
        if is_dataclass(one) and isinstance(value, dict):
            return True
        if get_origin(one) is list:
            if isinstance(value, list) and all(_fits(inner, get_args(one)[0]) for inner in value):
                return True
        elif type(value) is one:
            return True
    return False


def _check(name: str, value: Any, hints: Mapping[str, Any]) -> None:
    if name not in hints:
        raise ConfigError(f"data.{str(name)[:100]} is no setting of data; leave it out")
    if not _fits(value, hints[name]):
        kinds = [(get_origin(one) or one).__name__ for one in _members(hints[name])]
        allowed = " or ".join(kinds).replace("NoneType", "null")
        raise ConfigError(f"data.{name} is {str(value)[:100]}, but must be {allowed}")
    if isinstance(value, str) and "${" in value:
        raise ConfigError(
            f"data.{name} is {value[:100]}, which is not filled in: only references to other keys, "
            "BRAINSEG_DATA and BRAINSEG_CACHE are; write the value itself"
        )
