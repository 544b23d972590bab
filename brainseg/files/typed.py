"""Frozen dataclasses as plain values for JSON, and back again with the type of every value checked."""

import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from brainseg.config.errors import UnreadableError

T = TypeVar("T")
NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    types.NoneType: "null",
}
LONGEST = 60  # characters of a name or a value in a message
ABSENT = {"absent where it is None": True}  # metadata of a field whose key is not written where it is None


def to_plain(value: Any) -> Any:
    """A dataclass as a dict in the order of its fields, with all that it holds as plain values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: to_plain(getattr(value, one.name)) for one in _written(value)}
    if isinstance(value, dict):
        return {name: to_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(one) for one in value]
    return str(value) if isinstance(value, StrEnum) else value


def from_plain(kind: type[T], value: Any, file: Path, key: str = "") -> T:
    """The dataclass that plain values stand for. Keys that it has no field for are left out.

    Args:
        kind: The dataclass. Its fields may be dataclasses, StrEnums, text, numbers, lists and dicts of these,
            each with None as well.
        value: What was read.
        file: Where it was read, for the message.
        key: Where in the file the value stands, as "grid.shape"; "" for the whole.

    Raises:
        UnreadableError: A key is missing or a value has another type. The message has the file, the key and
            what was expected.
    """
    read: T = _read(kind, value, file, key)
    return read


def _written(value: Any) -> Iterator[Field[Any]]:
    return (one for one in fields(value) if one.metadata != ABSENT or getattr(value, one.name) is not None)


def _read(kind: Any, value: Any, file: Path, key: str) -> Any:
    if kind is Any:
        return value
    if get_origin(kind) in (Union, types.UnionType):
        return _read_one_of(get_args(kind), value, file, key)
    if is_dataclass(kind):
        return _read_fields(kind, value, file, key)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in list(kind):
            _refuse(file, key, f"one of {', '.join(kind)}", value)
        return kind(value)
    outer = get_origin(kind) or kind
    if not _is_of(outer, value):
        _refuse(file, key, NAMES[outer], value)
    if outer is list and (inner := get_args(kind)):
        return [_read(inner[0], one, file, f"{key}[{n}]") for n, one in enumerate(value)]
    if outer is dict and (inner := get_args(kind)):
        return {name: _read(inner[1], one, file, _below(key, name)) for name, one in value.items()}
    return value


def _read_one_of(kinds: tuple[Any, ...], value: Any, file: Path, key: str) -> Any:
    """As the first dataclass whose keys are there, or else as the first kind that is not None."""
    if value is None and types.NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not types.NoneType]
    named = set(value) if isinstance(value, dict) else set()
    fitting = (kind for kind in others if is_dataclass(kind) and _needed(kind) <= named)
    return _read(next(fitting, others[0]), value, file, key)


def _read_fields(kind: Any, value: Any, file: Path, key: str) -> Any:
    if not isinstance(value, dict):
        _refuse(file, key, NAMES[dict], value)
    if missing := sorted(_needed(kind) - set(value)):
        raise UnreadableError(f"{file}: cannot be read, the key {_below(key, missing[0])} is missing")
    hints = _hints(kind)
    given = {one.name: value[one.name] for one in fields(kind) if one.name in value}
    return kind(**{name: _read(hints[name], one, file, _below(key, name)) for name, one in given.items()})


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _needed(kind: Any) -> set[str]:
    return {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}


def _is_of(kind: type, value: Any) -> bool:
    """Whether a plain value has a type; a whole number is a number too, and true is none."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _below(key: str, name: str) -> str:
    """A key within another. A name that is long or has a line end is cut and quoted, for one short line."""
    said = name if name.isprintable() and len(name) <= LONGEST else f"{name!r:.{LONGEST}}"
    return f"{key}.{said}" if key else said


def _refuse(file: Path, key: str, wanted: str, value: Any) -> None:
    where = f"{key} must be {wanted}" if key else f"it must be {wanted}"
    raise UnreadableError(f"{file}: cannot be read, {where}, not {value!r:.{LONGEST}}")
