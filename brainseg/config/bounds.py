"""What the value of a key may be. Messages begin with the key within its section, which `check` completes."""

from math import inf
from typing import Any

from brainseg.config.errors import ConfigError


def at_most(key: str, value: float, high: float) -> None:
    if not value <= high:  # NaN is not
        raise ConfigError(f"{key} must be at most {high}, got {value}")


def at_least(key: str, value: float, low: float) -> None:
    if not value >= low:
        raise ConfigError(f"{key} must be at least {low}, got {value}")


def above(key: str, value: float, low: float) -> None:
    if not low < value < inf:
        raise ConfigError(f"{key} must be above {low}, got {value}")


def within(key: str, value: float, low: float, high: float) -> None:
    if not low <= value < high:
        allowed = f"a number from {low} up" if high == inf else f"in [{low}, {high})"
        raise ConfigError(f"{key} must be {allowed}, got {value}")


def share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{key} must be in [0, 1], got {value}")


def three_positive(key: str, values: list[Any]) -> None:
    if len(values) != 3 or not all(0 < value < inf for value in values):
        raise ConfigError(
            f"{key} takes three positive numbers, one per axis (R, A, S), got {first_of(values)}"
        )


def first_of(values: list[Any]) -> str:
    """The first ones of a list, for a message."""
    return f"{list(values)}" if len(values) <= 12 else f"{list(values[:12])} and {len(values) - 12} more"


def known(key: str, values: list[str], known: tuple[str, ...]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown or not values or len(set(values)) < len(values):
        raise ConfigError(f"{key} takes distinct names out of {list(known)}, got {list(values)}")


def auto_or_number(key: str, value: Any) -> None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if value != "auto" and not (is_number and value >= 1):
        raise ConfigError(f"{key} must be auto or a number from 1 up, got {value}")


def yes_or_no(key: str, value: Any) -> None:
    if value != "auto" and not isinstance(value, bool):
        raise ConfigError(f"{key} must be auto, true or false, got {value}")
