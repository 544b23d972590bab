"""Runs below some folders, with what differs between them and how each went."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainseg.config.choices import TASKS
from brainseg.config.errors import UserError
from brainseg.reporting.curves import Curves, best_epoch, read_curves
from brainseg.runs.config import CONFIG, read_run_config, run_folders

log = logging.getLogger("brainseg")

# What may differ between runs without being what they are compared for.
_APART = ("paths", "hydra", "name", "group", "tags", "resume", "overwrite", "logger", "callbacks", "test")
REPEATS = ("seed", "data.seed")  # runs that differ in them only are repetitions


@dataclass(frozen=True)
class TrainedRun:
    """A run as it stands.

    Args:
        folder: Where it is.
        settings: Its config, flat: {"classifier.epochs": "20"}.
        monitor: The metric that decides, and whether less of it is better.
        lower_is_better: The same.
        curves: Of all metrics; none before the first epoch.
    """

    folder: Path
    settings: Mapping[str, str]
    monitor: str
    lower_is_better: bool
    curves: Curves

    @cached_property
    def best_epoch(self) -> int | None:
        return best_epoch(self.curves, self.monitor, "min" if self.lower_is_better else "max")

    @cached_property
    def best(self) -> float | None:
        return None if self.best_epoch is None else self.curves[self.monitor][self.best_epoch]


def trained_runs(folders: Sequence[Path]) -> list[TrainedRun]:
    """All runs at or below some folders, in order, each once; a warning names one that cannot be read.

    Raises:
        UserError: There is none.
    """
    found = dict.fromkeys(run for folder in folders for run in run_folders(folder))
    runs = [run for folder in found if (run := _read(folder)) is not None]
    if not runs:
        named = ", ".join(map(str, folders))
        raise UserError(f"{named}: no run of a training here; give folders of outputs, runs or sweeps")
    return runs


def varied_keys(runs: Sequence[TrainedRun]) -> list[str]:
    """The keys whose values differ between runs, in the order of the config."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    return [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]


def _read(folder: Path) -> TrainedRun | None:
    try:
        config = read_run_config(folder / CONFIG)
    except UserError as error:
        log.warning("a run is left out: %s", error)
        return None
    task = config.get("task")
    if task not in TASKS or not isinstance(config.get(task), dict):
        return None  # a prediction
    try:
        curves = read_curves(folder / "metrics.csv")
    except (UserError, ValueError):
        curves = {}  # before its first epoch
    settings = {
        key: value
        for key, value in _flat(config)
        if key.partition(".")[0] not in _APART and not key.endswith("._target_")
    }
    recipe = config[task]
    return TrainedRun(
        folder, settings, str(recipe.get("monitor")), str(recipe.get("monitor_mode")) == "min", curves
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
