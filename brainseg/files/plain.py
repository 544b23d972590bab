"""JSON and YAML that anyone may have written: plain values within limits, or one line that says why not."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import yaml

from brainseg.config.errors import UnreadableError

MOST_JSON_BYTES = 16 * 2**20  # a result.json that names 2,000 DICOM slices has 0.3 MB
MOST_YAML_BYTES = 256 * 2**10  # a run's config has 8 kB; PyYAML takes seconds for 256 kB
DEEPEST = 100  # levels; our own files have fewer than 10
MOST_VALUES = 10_000_000


def read_json(path: Path) -> Any:
    """The object in a JSON file.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It is too large, too deep, no JSON, or another value than an object.
    """
    text = _text(path, MOST_JSON_BYTES)
    try:
        value = json.loads(text)
    except RecursionError:
        _refuse_depth(path)
    except ValueError as error:
        raise UnreadableError(f"{path}: cannot be read, it is no JSON ({error})") from error
    return _checked(path, value, dict)


def read_yaml(path: Path, kind: type = dict) -> Any:
    """The value in a YAML file of plain values, in which no alias (*name) stands for a value again.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It is too large, too deep, no such YAML, or another kind of value.
    """
    text = _text(path, MOST_YAML_BYTES)
    try:
        value = yaml.load(text, _PlainLoader)
    except RecursionError:
        _refuse_depth(path)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # of values that are none: !!int x, {[1]: 2}
        said = " ".join(str(error).split())
        raise UnreadableError(f"{path}: cannot be read, it is no plain YAML ({said})") from error
    return _checked(path, value, kind)


def excess_of(value: Any, most: int = MOST_VALUES) -> str | None:
    """What of plain values goes beyond `DEEPEST` levels and so many values, in words; None if nothing does.

    A value that is referred to many times counts as often: whatever walks through it meets it so often. This
    walk needs neither recursion nor more time than the limits allow.
    """
    level, n = [value], 0
    for _ in range(DEEPEST):
        level = list(islice((inner for outer in level for inner in _inside(outer)), most - n + 1))
        n += len(level)
        if n > most:
            return f"it has more than {most} values"
        if not level:
            return None
    return f"its values lie in more than {DEEPEST} levels"


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases: ten lines of them can stand for more values than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases, which are not followed")
        return super().compose_node(parent, index)


def _text(path: Path, most: int) -> str:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnreadableError(f"{path}: cannot be read, it has more than {most // 1024} kB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path}: cannot be read, it is no text ({error.reason})") from error


def _checked(path: Path, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise UnreadableError(f"{path}: cannot be read, it holds no {kind.__name__}")
    if excess := excess_of(value):
        raise UnreadableError(f"{path}: cannot be read, {excess}")
    return value


def _refuse_depth(path: Path) -> NoReturn:
    raise UnreadableError(f"{path}: cannot be read, its values lie in more than {DEEPEST} levels")
