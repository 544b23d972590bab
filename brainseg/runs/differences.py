"""In which settings runs differ, and which of them differ in nothing but their seed.

The settings are those of the config that Hydra stored. A value that only follows another one, as data.seed
does seed, is none of its own; nor is where a run writes, or how often.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from brainseg.config.choices import TASKS
from brainseg.config.record import THAT_LEARN
from brainseg.files.plain import read_yaml
from brainseg.runs.config import read_run_config

Settings = Mapping[str, Any]  # by full key, as on the command line
SEED = "seed"
# Sections that decide nothing of what is learnt, but for the entries below.
_APART = {"hydra", "paths", "menu", "logger", "callbacks", "name", "group", "tags", "resume", "overwrite"}
_APART |= {"test", "trial", "sweep", *TASKS}
_FREE = {"data.workers", "data.cache", "data.skip_bad", "callbacks.last.every_minutes"}
_FREE |= {f"trainer.{name}" for name in ("_target_", "default_root_dir", "checkpoint_minutes")}
_FREE |= {f"trainer.{name}" for name in ("compile", "threads", "half_images", "augment_on_device")}
_FREE |= {f"trainer.{name}" for name in ("log_every_n_steps", "enable_model_summary")}
_FREE |= {f"trainer.{name}" for name in ("limit_test_batches", "num_sanity_val_steps")}
_PLACES = re.compile(r"callbacks\.\w+\.(dirpath|folder|_target_)")
_FOLLOWS = re.compile(r"\$\{(seed|task|\$\{task\}\.\w+|[a-z]+\.\w+)\}")  # and is nothing else


def read_settings(path: Path) -> dict[str, Any]:
    """What a run's stored config sets, by full key: its task's section, the chosen menu entries, its data.

    Raises:
        UserError: The config cannot be read.
    """
    config, stored = read_run_config(path), read_yaml(path)
    task = str(config.get("task"))
    found = {name: value for name, value in config.items() if name not in _APART}
    as_written = {name: value for name, value in stored.items() if name not in _APART}
    found[task], as_written[task] = config.get(task, {}), stored.get(task, {})
    for section, names in _chosen(config, task):
        found[section], as_written[section] = (_part(one, section, names) for one in (config, stored))
    follows = {
        key for key, value in _flat(as_written) if isinstance(value, str) and _FOLLOWS.fullmatch(value)
    }
    return {
        key: value
        for key, value in _flat(found)
        if key not in follows and key not in _FREE and not _PLACES.fullmatch(key)
    }


def differing(runs: Sequence[Settings]) -> list[str]:
    """The keys whose values are not the same in all runs, in the order of the configs.

    A key that a run does not have counts as null there. Those of a menu's entry, as menu.loss.dice, are
    compared between the runs that have chosen it: for the others the choice itself says that they differ.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run))
    entries = [{_entry(key) for key in run} for run in runs]
    return [key for key in keys if _differs(key, runs, entries)]


def _differs(key: str, runs: Sequence[Settings], entries: Sequence[set[str]]) -> bool:
    entry = _entry(key)
    values = [run.get(key) for run, own in zip(runs, entries, strict=True) if not entry or entry in own]
    return any(value != values[0] for value in values)


def _entry(key: str) -> str:
    """The entry of a menu that a key belongs to; empty for others."""
    parts = key.split(".")
    return ".".join(parts[:3]) if parts[0] == "menu" else ""


def pooled(runs: Sequence[Settings], over: Sequence[str] = (SEED,)) -> list[list[int]]:
    """The places of runs that differ in nothing but the keys `over`, together, in order."""
    keys = [key for key in differing(runs) if key not in over]
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(repr([run.get(key) for key in keys]), []).append(place)
    return list(groups.values())


def _chosen(config: Mapping[str, Any], task: str) -> Iterator[tuple[str, list[str]]]:
    """The parts of sections that count: the chosen entry of each menu, and the callbacks that learn."""
    section = config.get(task)
    recipe = section if isinstance(section, dict) else {}
    for kind in ("loss", "optimizer", "scheduler"):
        yield f"menu.{kind}", [str(recipe.get(kind))]
    yield "callbacks", list(THAT_LEARN)


def _part(config: Mapping[str, Any], section: str, names: Sequence[str]) -> dict[str, Any]:
    node: Any = config
    for name in section.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return {name: node[name] for name in names if isinstance(node, dict) and name in node}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
