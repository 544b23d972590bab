"""From the composed config to checked values: the first value out of bounds is named with its full key."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError

from brainseg.config.bounds import within
from brainseg.config.builtin import with_builtin
from brainseg.config.choices import TASKS, SegmenterOutput
from brainseg.config.errors import ConfigError
from brainseg.config.explain import explain
from brainseg.config.loggers import check_loggers
from brainseg.config.meant import meant_keys
from brainseg.config.menu_bounds import check_menu
from brainseg.config.prediction import PredictConfig
from brainseg.config.training import (
    ClassifierConfig,
    SegmenterConfig,
    TrainConfig,
    TrainerConfig,
    VolumeClassifierConfig,
)

Section = TypeVar("Section")


def check(cfg: DictConfig) -> None:
    """Refuse a composed training config with values that are out of bounds or belong to another task.

    Raises:
        ConfigError: The message begins with the full key, e.g. "classifier.epochs must be ...".
    """
    stray = [name for name in TASKS if name != cfg.task and not OmegaConf.is_missing(cfg, name)]
    if stray:
        raise ConfigError(f"{stray[0]}.* is set, by an experiment perhaps, but model={cfg.task} is trained")
    try:
        section = OmegaConf.to_object(cfg[cfg.task])  # runs __post_init__ of the section and of all in it
    except ConfigError as error:
        raise ConfigError(f"{cfg.task}.{error}") from None
    except InterpolationKeyError as error:  # for instance a backbone that preset=keras does not know
        raise ConfigError(explain(error)) from None
    if isinstance(section, SegmenterConfig) and section.output is SegmenterOutput.classes:
        _check_class_loss(section, cfg.menu.loss[str(section.loss)])
    if isinstance(section, ClassifierConfig | VolumeClassifierConfig):
        _check_type_weights(section, cfg.menu.loss[str(section.loss)])
    check_loggers(cfg)
    _check_whole(cfg)


def _check_whole(cfg: DictConfig) -> None:
    """The bounds beside the task's section; not by `to_object`, as some keys have values in a run only."""
    _refuse_added(cfg, TrainConfig)
    TrainConfig.__post_init__(cast(TrainConfig, cfg))
    TrainerConfig.__post_init__(cast(TrainerConfig, cfg.trainer))
    check_menu(cfg)
    for name in ("val_share", "test_share"):
        if isinstance(value := OmegaConf.select(cfg, f"data.{name}"), int | float):
            within(f"data.{name}", value, 0, 1)


def _refuse_added(node: DictConfig, schema: type, prefix: str = "") -> None:
    """Refuse what +key=value has added beside the keys of a section, and nobody reads; trainer takes more."""
    known = {field.name: field.type for field in fields(schema)}
    for name in map(str, node):
        key = f"{prefix}{name}"
        if name == "hydra" and not prefix:
            continue  # in the jobs of a sweep
        if name not in known:
            meant = meant_keys(key, node)
            mend = f"set {meant[0]}" if meant else "leave it out"
            raise ConfigError(f"+{key} adds a key that nothing reads; {mend}")
        inner = known[name]
        if not is_dataclass(inner) or inner is TrainerConfig or OmegaConf.is_missing(node, name):
            continue
        _refuse_added(node[name], cast(type, inner), f"{key}.")


def _check_class_loss(section: SegmenterConfig, entry: DictConfig) -> None:
    """Refuse a loss of other classes than the segmenter's."""
    key, classes = f"menu.loss.{section.loss}", section.class_count
    weights, indexes = entry.get("class_weights"), entry.get("class_indexes")
    if weights is not None and len(weights) != classes:
        raise ConfigError(
            f"{key}.class_weights has {len(weights)} weights, but the segmenter has {classes} classes, "
            f"background first{section.cavity_in_words}; give one for each"
        )
    if indexes is not None and (strange := [one for one in indexes if not 0 <= one < classes]):
        raise ConfigError(
            f"{key}.class_indexes has {strange[0]}, but the segmenter's classes are 0 to {classes - 1}"
            f"{section.cavity_in_words}"
        )


def _check_type_weights(section: ClassifierConfig | VolumeClassifierConfig, entry: DictConfig) -> None:
    """Refuse a loss with another number of weights than there are tumour types, or without any above 0."""
    weights = entry.get("class_weights")
    if weights is None:
        return
    if len(weights) != len(section.classes) or not any(one > 0 for one in weights):
        raise ConfigError(
            f"menu.loss.{section.loss}.class_weights is {list(weights)}, but the classes are "
            f"{len(section.classes)}, {', '.join(section.classes)}; give one for each, some of them above 0"
        )


def check_predict(cfg: DictConfig) -> PredictConfig:
    """The composed prediction config as its class, with the files of the models that come with brainseg.

    Raises:
        ConfigError: There is no input, or a value is out of bounds.
    """
    if OmegaConf.is_missing(cfg, "input"):
        raise ConfigError("input is not set: python predict.py input=PATH, a scan, a subject or a folder")
    options: PredictConfig = OmegaConf.to_object(cfg)  # type: ignore[assignment]
    return with_builtin(options)


def as_section(schema: type[Section], values: dict[str, Any]) -> Section:
    """Plain values, for instance out of a checkpoint, as a checked config class.

    Raises:
        ConfigError: A value is out of bounds, or has the form ${...}: OmegaConf would look it up, for
            instance in the environment of whoever reads the file.
    """
    for text in _texts(values):
        if "${" in text:
            raise ConfigError(f"{text[:100]} refers to something else, where the value itself must stand")
    section: Section = OmegaConf.to_object(  # type: ignore[assignment]
        OmegaConf.merge(OmegaConf.structured(schema), values)
    )
    return section


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain values, at every depth."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for inner in inside:
        yield from _texts(inner)
    if isinstance(value, str):
        yield value
