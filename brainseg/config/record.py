"""The composed config as plain values: a node, the chosen entry of a menu, the record of a run."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

THAT_LEARN = ("last", "best", "average")  # the callbacks that decide what is kept of a training

# What may differ in a run that goes on: nothing learnt depends on it, or it is seen to elsewhere.
FREE = {
    *("name", "start_from", "data.root", "data.groups", "data.workers", "data.cache", "data.skip_bad"),
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "precision")),
    *(f"trainer.{name}" for name in ("compile", "threads", "half_images", "augment_on_device")),
    *(f"trainer.{name}" for name in ("max_epochs", "max_time", "early_stopping", "checkpoint_minutes")),
    *(f"trainer.{name}" for name in ("default_root_dir", "deterministic", "enable_model_summary")),
    *(
        f"trainer.{name}"
        for name in ("log_every_n_steps", "limit_test_batches", "num_sanity_val_steps", "_target_")
    ),
}


def plain(node: Any) -> Any:
    """A config node as dicts, lists, strings and numbers, which are all that a checkpoint may hold."""
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node, resolve=True, enum_to_str=True, throw_on_missing=True)
    return node


def chosen(cfg: DictConfig, kind: str) -> dict[str, Any] | None:
    """The menu entry that the task names: menu.loss.dice_focal for segmenter.loss=dice_focal."""
    entry: dict[str, Any] | None = plain(cfg.menu[kind][str(cfg[cfg.task][kind])])
    return entry


def record(cfg: DictConfig) -> dict[str, Any]:
    """The settings that decide what a run learns, for W&B and the checkpoint: no menus, none of its paths."""
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
        "callbacks": {name: _without_places(plain(cfg.callbacks.get(name))) for name in THAT_LEARN},
    }


def decisive(cfg: DictConfig) -> dict[str, Any]:
    """What a run learns from and how, by full key, as {"classifier.epochs": 20}: no place, no hardware.

    It needs no folder of the run, so a job can be compared with a run before it is started.
    """
    task = cfg.task
    values = {
        "task": task,
        "seed": cfg.seed,
        task: plain(cfg[task]),
        **{kind: chosen(cfg, kind) for kind in ("loss", "optimizer", "scheduler")},
        **{name: _without(cfg[name], name, FREE) for name in ("data", "trainer")},
    }
    return dict(_flat(values))


def _without(node: DictConfig, name: str, keys: set[str]) -> dict[str, Any]:
    return {key: plain(node[key]) for key in map(str, node) if f"{name}.{key}" not in keys}


def _flat(values: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


def _without_places(settings: Any) -> Any:
    """A callback's settings without where it writes, as a run may be moved, and without how often."""
    free = ("dirpath", "folder", "every_minutes")
    return settings and {key: value for key, value in settings.items() if key not in free}
