"""What the numbers of a chosen loss, optimizer or scheduler may be: these have no typed class of ours."""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

from omegaconf import DictConfig

from brainseg.config.bounds import above, at_least, share, within
from brainseg.config.errors import ConfigError
from brainseg.config.record import chosen

Bound = Callable[[str, float], None]
_FROM_0: Bound = partial(within, low=0, high=inf)
_BELOW_1: Bound = partial(within, low=0, high=1)
_ABOVE_0: Bound = partial(above, low=0)
BOUNDS: dict[str, Bound] = {  # by the key of an entry, of whatever kind; a list is checked number by number
    **dict.fromkeys(("lr", "eps", "weight_decay", "momentum_decay", "eta_min", "power", "smooth"), _FROM_0),
    **dict.fromkeys(("bce_weight", "ce_weight", "focal_weight", "distance_weight", "gamma", "beta"), _FROM_0),
    **dict.fromkeys(("betas", "momentum", "label_smoothing", "alpha"), _BELOW_1),
    **dict.fromkeys(("T_max", "total_iters", "div_factor", "final_div_factor", "limit_mm"), _ABOVE_0),
    **dict.fromkeys(("hardest", "spacing_mm"), _ABOVE_0),
    **dict.fromkeys(("dampening", "pct_start", "missed"), share),
    "class_weights": _FROM_0,
    "class_indexes": partial(at_least, low=0),
}


def check_menu(cfg: DictConfig) -> None:
    """Refuse numbers out of bounds of the entries that the task has chosen.

    Raises:
        ConfigError: The message begins with the full key, e.g. "menu.optimizer.adamw.lr must be ...".
    """
    for kind in ("loss", "optimizer", "scheduler"):
        for key, value in (chosen(cfg, kind) or {}).items():
            if key in BOUNDS and value is not None:
                _check(f"menu.{kind}.{cfg[cfg.task][kind]}.{key}", value, BOUNDS[key])


def _check(key: str, value: Any, bound: Bound) -> None:
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ConfigError(f"{key} must be a number, got {value}")
        bound(key, number)
