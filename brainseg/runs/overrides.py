"""The command line that a run left behind: key=value each, which may set values and choose what is in conf/.

Whoever composes a config of them again lets their file say what is built: a `_target_` in it, a file outside
of conf/ or a ${...} would run or read what its author wants.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from brainseg.config.errors import ConfigError, UnreadableError
from brainseg.config.folder import conf_dir
from brainseg.files.plain import read_yaml

OVERRIDES = Path(".hydra") / "overrides.yaml"  # in a run's folder
_LONGEST = 4096


def read_overrides(path: Path) -> list[str]:
    """The overrides of a run, in their order.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It holds something else.
    """
    found: list[str] = read_yaml(path, list)
    if not all(isinstance(item, str) for item in found):
        raise UnreadableError(f"{path}: cannot be read, it is no list of key=value")
    return found


def refuse_unsafe(path: Path, overrides: Iterable[str]) -> None:
    """Refuse overrides of a file that choose more than values and the options in conf/.

    Raises:
        ConfigError: The message names the file and the override.
    """
    for override in overrides:
        if fault := _fault(override):
            raise ConfigError(
                f"{path}: {override[:100]!r} is not taken over from a file, as it {fault}; "
                "give it on the command line if you trust it"
            )


def _fault(override: str) -> str | None:
    if override.startswith("-"):
        return "is an option of the program"
    if len(override) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    if "${" in override:
        return "refers to something else"
    try:
        parsed = OverridesParser.create().parse_override(override)
        value = parsed.value()
    except (HydraException, RecursionError):
        return "is no key=value"
    key = parsed.key_or_group
    if key.split(".")[0].split("/")[0] == "hydra":
        return "is a setting of Hydra"
    if parsed.is_sweep_override() or parsed.package is not None or "/" in key:
        return "is more than key=value"
    if any(name.startswith("_") for name in [*key.split("."), *_names(value)]):
        return "says what is built"
    if (conf_dir() / key).is_dir() and not re.fullmatch(r"[\w-]+", str(value)):
        return f"is no option in {key}"
    return None


def _names(value: Any) -> Iterator[str]:
    """The names of dicts in a value, at all depths; the parser has ended on deep ones."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
