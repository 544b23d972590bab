"""From the composed config to checked, plain values; from Hydra's errors to one line."""

import difflib
from collections.abc import Iterator
from typing import Any, TypeVar

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException

from brainseg.config.errors import ConfigError
from brainseg.config.prediction import PredictConfig

Section = TypeVar("Section")
_SECTIONS = ("classifier", "skullstripper", "segmenter")
_THAT_LEARN = ("last", "best", "average")  # callbacks on which depends what is kept of a training


def check(cfg: DictConfig) -> None:
    """Refuse a composed training config whose values are out of bounds or not for its task.

    Raises:
        ConfigError: The message begins with the full key, e.g. "classifier.epochs must be ...".
    """
    stray = [name for name in _SECTIONS if name != cfg.task and not OmegaConf.is_missing(cfg, name)]
    if stray:
        raise ConfigError(f"{stray[0]}.* is set, by an experiment perhaps, but model={cfg.task} is trained")
    try:
        OmegaConf.to_object(cfg[cfg.task])  # runs __post_init__ of the section and of all in it
    except ConfigError as error:
        raise ConfigError(f"{cfg.task}.{error}") from None
    except InterpolationKeyError as error:  # for instance a backbone that preset=keras does not know
        raise ConfigError(explain(error)) from None


def check_predict(cfg: DictConfig) -> PredictConfig:
    """The composed prediction config as its class, every value within its bounds."""
    if OmegaConf.is_missing(cfg, "input"):
        raise ConfigError("input is not set: python predict.py input=PATH, a scan, a subject or a folder")
    options: PredictConfig = OmegaConf.to_object(cfg)  # type: ignore[assignment]
    return options


def as_section(schema: type[Section], values: dict[str, Any]) -> Section:
    """Plain values, for instance out of a checkpoint, as a checked config class.

    Raises:
        ConfigError: A value is out of bounds, or refers to something else: OmegaConf would look up what
            ${...} says, in the environment of whoever reads the file.
    """
    for text in _texts(values):
        if "${" in text:
            raise ConfigError(f"{text[:100]} refers to something else, where the value itself must stand")
    section: Section = OmegaConf.to_object(  # type: ignore[assignment]
        OmegaConf.merge(OmegaConf.structured(schema), values)
    )
    return section


def _texts(value: Any) -> Iterator[str]:
    """The texts in plain values, at all depths."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for inner in inside:
        yield from _texts(inner)
    if isinstance(value, str):
        yield value


def plain(node: Any) -> Any:
    """A config node as dicts, lists, strings and numbers: all that a checkpoint may hold."""
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node, resolve=True, enum_to_str=True, throw_on_missing=True)
    return node


def chosen(cfg: DictConfig, kind: str) -> dict[str, Any] | None:
    """The menu entry that the task names: menu.loss.dice_focal for segmenter.loss=dice_focal."""
    entry: dict[str, Any] | None = plain(cfg.menu[kind][str(cfg[cfg.task][kind])])
    return entry


def record(cfg: DictConfig) -> dict[str, Any]:
    """All that made this run what it is, for W&B and for the checkpoint: no menus, no paths of the run."""
    task = cfg.task
    return {
        "task": task,
        "name": cfg.name,
        "seed": cfg.seed,
        "start_from": cfg.start_from,
        task: plain(cfg[task]),
        **{kind: chosen(cfg, kind) for kind in ("loss", "optimizer", "scheduler")},
        "data": plain(cfg.data),
        "trainer": plain(cfg.trainer),
        "callbacks": {name: _without_places(plain(cfg.callbacks.get(name))) for name in _THAT_LEARN},
    }


def _without_places(settings: Any) -> Any:
    """A callback's settings but for how often it writes, and to where: a run may be moved."""
    free = ("dirpath", "folder", "every_minutes")
    return settings and {key: value for key, value in settings.items() if key not in free}


def explain(error: HydraException | OmegaConfBaseException) -> str:
    """One line for a mistake on the command line, with the nearest valid key where one is unknown."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        options = [one for one in error.options if not one.startswith("_")]  # no fragments of others
        return f"{group}={option}: no such {group}; there are {', '.join(options)}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException):
        return _joined(str(error))
    if isinstance(cause, MissingMandatoryValue) and str(cause.key) in _SECTIONS:
        return f"{cause.key}.* is set, but another model is trained; add model={cause.key}"
    what = _joined(str(cause.msg or cause).split("\n")[0])
    known = _siblings(cause)
    if cause.full_key and known is not None and str(cause.key) not in known:
        near = difflib.get_close_matches(str(cause.key), known, n=1)
        there = f"did you mean {near[0]}?" if near else f"known there: {', '.join(known)}"
        return f"{cause.full_key}: unknown key {str(cause.key)!r}; {there}"
    return f"{cause.full_key}: {what}" if cause.full_key else what


def _siblings(error: OmegaConfBaseException) -> list[str] | None:
    parent = error.parent_node
    if parent is None or not OmegaConf.is_dict(parent):
        return None
    return sorted(str(key) for key in parent)


def _joined(text: str) -> str:
    return "; ".join(line.strip() for line in text.strip().splitlines() if line.strip())
