"""The composed config as plain values: a node, the chosen entry of a menu, the record of a run."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

_THAT_LEARN = ("last", "best", "average")  # the callbacks that decide what is kept of a training


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
        "callbacks": {name: _without_places(plain(cfg.callbacks.get(name))) for name in _THAT_LEARN},
    }


def _without_places(settings: Any) -> Any:
    """A callback's settings without where it writes, as a run may be moved, and without how often."""
    free = ("dirpath", "folder", "every_minutes")
    return settings and {key: value for key, value in settings.items() if key not in free}
