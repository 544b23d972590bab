"""What the classes of the configuration and its YAML files say of their own keys, read from their source."""

import ast
import inspect
import re
import sys
import types
from collections.abc import Iterator
from enum import Enum
from functools import cache
from textwrap import dedent
from typing import Any, Union, get_args, get_origin

_FIELD = re.compile(r"^    (\w+)(?:: .+?)? = .+?  # (.+)$", re.MULTILINE)
_YAML_KEY = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):(?: +(?P<value>[^# ].*?)?)?(?: *# (?P<comment>.*))?$")
_TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "see the meaning"}
_BOUNDS = {  # the functions of brainseg.config.bounds, by what follows the key and its value
    "at_least": "at least {}",
    "at_most": "at most {}",
    "above": "above {}",
    "within": "at least {} and below {}",
    "share": "0 to 1",
    "three_positive": "three, above 0",
    "known": "out of {}",
}


@cache
def comments(described: type) -> dict[str, str]:
    """The comment beside each field of a dataclass, its bases' too, or beside each name of an Enum."""
    own = [one for one in reversed(described.__mro__) if one.__module__.startswith("brainseg.")]
    return dict(pair for one in own for pair in _FIELD.findall(inspect.getsource(one)))


@cache
def bounds(schema: type) -> dict[str, list[str]]:
    """The bounds that `__post_init__` sets to the fields of a dataclass, in words."""
    found: dict[str, list[str]] = {}
    for one in reversed(schema.__mro__):
        for call in _calls(vars(one).get("__post_init__")):
            if isinstance(call.func, ast.Name) and call.func.id in _BOUNDS:
                key, _, *limits = call.args
                words = [_worded(_value(limit, one.__module__)) for limit in limits]
                name = _value(key, one.__module__).rpartition(".")[2]
                found.setdefault(name, []).append(_BOUNDS[call.func.id].format(*words))
    return found


def _calls(function: Any) -> Iterator[ast.Call]:
    if function is not None:
        tree = ast.parse(dedent(inspect.getsource(function)))
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _value(node: ast.expr, module: str) -> Any:
    """The value of a literal, or of a constant of the module."""
    return getattr(sys.modules[module], node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)


def _worded(limit: Any) -> str:
    return ", ".join(map(str, limit)) if isinstance(limit, tuple) else str(limit)


def type_words(annotation: Any) -> str:
    """The type of a field: "whole number or null", "list of numbers", "one of linear, mlp"."""
    inner = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return f"{type_words(inner[0])} or null"
    if get_origin(annotation) is list:
        return f"list: {type_words(inner[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(one.name for one in annotation)
    return _TYPES[annotation]


def yaml_comments(text: str) -> dict[str, str]:
    """The comment beside each key of a YAML file in block style, by the key's full name."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for match in filter(None, map(_YAML_KEY.match, text.splitlines())):
        depth = len(match["indent"])
        path = [(at, key) for at, key in path if at < depth] + [(depth, match["key"])]
        if match["comment"]:
            found[".".join(key for _, key in path)] = match["comment"]
    return found


def yaml_head(text: str) -> str:
    """The comment that a YAML file begins with, but for Hydra's own; lines with commands as code."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        said = line.lstrip("# ").strip()
        if said and not said.startswith("@package"):
            lines.append(f"`{said}`" if said.startswith("python ") else said)
    return " ".join(lines)
