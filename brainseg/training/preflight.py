"""What is known to fail of a training before any scan is read: its network, its settings, its split."""

import json
from functools import lru_cache

from omegaconf import DictConfig

from brainseg.config import chosen, plain
from brainseg.data import composed_data
from brainseg.tasks import TASKS


def preflight(cfg: DictConfig) -> None:
    """Refuse a checked config whose model cannot be built, or whose subjects cannot fill its split.

    Raises:
        ConfigError: timm knows no such backbone, for instance, or data.fold is not of data.folds.
        DataError: data.root is not there, or has too few subjects.
    """
    _build(cfg.task, json.dumps([plain(cfg[cfg.task]), chosen(cfg, "loss")]))
    composed_data(cfg).check_split()


@lru_cache
def _build(task: str, values: str) -> None:
    """Build a model and forget it: once for all jobs of a sweep that differ in nothing it is built from."""
    config, loss = json.loads(values)
    TASKS[task](config=config, loss=loss)
