"""The command line as a person types it: paths as the shell gives them, without Hydra's quotes.

Hydra reads values by its own grammar, in which an umlaut, a bracket, a comma or a second "=" in a path is an
error or begins a sweep, and in which 2020_01 is a number.
"""

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from brainseg.config.defaults import choices_of
from brainseg.config.errors import ConfigError
from brainseg.config.folder import conf_dir

PREDICTION_PATHS = (
    "input",
    "output",
    "derivatives",
    "skullstripper",
    "classifier",
    "volume_classifier",
    "segmenter",
)
PATHS = (
    *PREDICTION_PATHS,
    *("names", "resume", "start_from", "data.root", "data.cache", "data.groups", "data.brains"),
    "classifier.weights",
    *("hydra.run.dir", "hydra.sweep.dir", "trainer.default_root_dir"),
    *("paths.data", "paths.cache", "paths.outputs", "paths.run"),
)
_GROUP = re.compile(r"\w+(/\w+)?")
_FUNCTION = re.compile(r"(choice|range|interval|glob|sort|shuffle|tag|str)\(.*\)")  # of Hydra, for sweeps
_COMMA = re.compile(r""",(?=(?:[^'"]|'[^']*'|"[^"]*")*$)""")  # outside of quotes


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments, with quotes around each path that Hydra would misread, and with ~ filled in.

    Kept as they are: null, a value in Hydra's quotes, a reference (${...}). A list of paths in brackets and,
    in a sweep, paths with commas between them are taken apart, and each path is quoted on its own.
    """
    several = bool({"-m", "--multirun"} & set(arguments))
    return [_quoted_path(one, several=several) for one in arguments]


def refuse_no_choice(program: str, arguments: Sequence[str]) -> None:
    """Refuse null and numbers where a file of conf/ is chosen, as gates=null, on which Hydra breaks.

    Args:
        program: train or predict, whose conf/PROGRAM.yaml says where something is chosen.
        arguments: The command line.

    Raises:
        ConfigError: Nothing is chosen, in one line with what there is instead.
    """
    for argument in arguments:
        group, equals, value = argument.partition("=")
        group = group.lstrip("+")
        folder = conf_dir() / group
        if not equals or not _GROUP.fullmatch(group) or not folder.is_dir() or _chooses(value):
            continue
        if group not in choices_of(program):
            raise ConfigError(f"{argument}: nothing is chosen by this here; leave it out")
        there = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise ConfigError(f"{argument}: nothing is chosen; take one of {there}")


def _chooses(value: str) -> bool:
    """Whether a value, or each of a sweep, is a name."""
    if _FUNCTION.fullmatch(value):
        return True
    several = [value] if value.startswith("[") else _COMMA.split(value)
    return all(one and isinstance(_read_back(one), str | list) for one in several)


def quoted(value: str) -> str:
    r"""A value in Hydra's quotes: a quote within gets a backslash, and backslashes before one are doubled."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
    at_its_end = escaped[len(escaped.rstrip("\\")) :]
    return f"'{escaped}{at_its_end}'"


def _quoted_path(argument: str, *, several: bool) -> str:
    key, equals, value = argument.partition("=")
    if key.lstrip("+") not in PATHS or not equals:
        return argument
    if several and _FUNCTION.fullmatch(value):
        return argument
    if several and not key.startswith("hydra.") and not _is_hydras(value) and not _is_there(value):
        return f"{key}={','.join(map(_path_or_list, _COMMA.split(value)))}"
    return f"{key}={_path_or_list(value)}"


def _path_or_list(value: str) -> str:
    if not (value.startswith("[") and value.endswith("]")):
        return _path(value)
    inner = value[1:-1]
    return f"[{','.join(_path(one.strip()) for one in _COMMA.split(inner))}]" if inner else value


def _path(value: str) -> str:
    if _is_hydras(value) or value in ("", "null"):
        return value
    value = os.path.expanduser(value)
    return value if _read_back(value) == value else quoted(value)


def _is_hydras(value: str) -> bool:
    """Whether a value is written in Hydra's own grammar: a reference, or something in quotes."""
    return value.startswith("${") or (len(value) > 1 and value[0] in "'\"" and _is_text(value))


def _is_there(value: str) -> bool:
    """Whether a path, or a folder that it leads through, is there and has a comma in its name."""
    path = Path(os.path.expanduser(value))
    return any("," in str(place) and os.path.lexists(place) for place in (path, *path.parents))


def _is_text(value: str) -> bool:
    return isinstance(_read_back(value), str)


@lru_cache(maxsize=1)
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _read_back(value: str) -> object:
    """What Hydra makes of a value; None where it cannot read it, or takes it for several."""
    try:
        override = _parser().parse_override(f"input={value}")
    except HydraException:
        return None
    return None if override.is_sweep_override() else override.value()
