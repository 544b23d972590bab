"""The command line as a person types it: paths as the shell gives them, without Hydra's quotes.

Hydra reads values by its own grammar, in which an umlaut, a bracket or a comma in a path is an error or
begins a sweep.
"""

import os
import re
from collections.abc import Sequence

PREDICTION_PATHS = ("input", "output", "derivatives", "skullstripper", "classifier", "segmenter")
PATHS = (
    *PREDICTION_PATHS,
    *(
        "resume",
        "start_from",
        "data.root",
        "data.cache",
        "classifier.weights",
        "hydra.run.dir",
        "hydra.sweep.dir",
    ),
    *("paths.data", "paths.cache", "paths.outputs", "paths.run"),
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+ -]*")
_OWN_GRAMMAR = ("'", '"', "[", "${")  # a value in Hydra's quotes, a list of paths, a reference


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments, with quotes around each path that Hydra would misread, and with ~ filled in."""
    several = bool({"-m", "--multirun"} & set(arguments))
    return [_quoted_path(one, several=several) for one in arguments]


def quoted(value: str) -> str:
    r"""A value in Hydra's quotes: a quote within gets a backslash, and backslashes before one are doubled."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
    at_its_end = escaped[len(escaped.rstrip("\\")) :]
    return f"'{escaped}{at_its_end}'"


def _quoted_path(argument: str, *, several: bool) -> str:
    key, equals, value = argument.partition("=")
    if key.lstrip("+") not in PATHS or not equals or value.startswith(_OWN_GRAMMAR):
        return argument
    if several and "," in value:  # jobs of a sweep
        return argument
    value = os.path.expanduser(value)
    return f"{key}={value if _PLAIN.fullmatch(value) else quoted(value)}"
