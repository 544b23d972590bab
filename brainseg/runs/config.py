"""The config that a run left behind, read as plain values: nothing in it is instantiated or looked up.

Hydra keeps it as it was composed, with references in it such as ${paths.data}/brats. OmegaConf would fill
them in, but would also run what else stands in ${...}: ${oc.env:TOKEN} in a file from elsewhere would read
the reader's environment. So they are filled in here: references to other keys, and the two folders that
conf/train.yaml takes from the environment. Any other ${...} stays the text that it is.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainseg.config.errors import UnreadableError, UserError
from brainseg.files.plain import read_json, read_yaml

CONFIG = Path(".hydra") / "config.yaml"  # in a run's folder
SPLIT = "split.json"  # the same
BEST, LAST = Path("checkpoints") / "best.ckpt", Path("checkpoints") / "last.ckpt"  # the same
# An innermost one: neither its key nor its default has another within.
_REFERENCE = re.compile(r"\$\{(?:oc\.env:(BRAINSEG_DATA|BRAINSEG_CACHE),([^${}]*)|([A-Za-z_][\w.]*))\}")
_MOST_STEPS, _LONGEST = 20, 4096  # of one value; ours need four steps and have 100 characters
_MOST_NUMBER = 10**9  # whole numbers beyond it are no epochs, seeds or sizes
_NOWHERE = object()


def run_folders(folder: Path) -> list[Path]:
    """The folders of all runs at or below one, in order: those that have a config."""
    return sorted(path.parent.parent for path in folder.glob(f"**/{CONFIG}"))


def read_run_config(path: Path) -> dict[str, Any]:
    """A config as Hydra stored it, with the references to single values filled in, but for its own section.

    Raises:
        UserError: It cannot be read.
    """
    try:
        stored = read_yaml(path)
        return {name: node if name == "hydra" else _filled(node, stored) for name, node in stored.items()}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnreadableError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def read_split(path: Path) -> dict[str, list[str]]:
    """The names of the examples of train, val and test, as training wrote them.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: It holds something else.
    """
    stored = read_json(path)
    parts = {name: stored.get(name) for name in ("train", "val", "test")}
    if not all(isinstance(ids, list) and all(isinstance(one, str) for one in ids) for ids in parts.values()):
        raise UnreadableError(f"{path} does not name the examples of train, val and test; restore it")
    return parts


def require(config: Mapping[str, Any], path: Path, kinds: Mapping[str, type | tuple[type, ...]]) -> None:
    """Refuse a config without some keys, or with another kind of value there.

    Args:
        config: As read.
        path: The file that it is of.
        kinds: By key: {"trainer.max_epochs": int}.

    Raises:
        UserError: The message names file, key and value.
    """
    for key, kind in kinds.items():
        value = at(config, key)
        wanted = kind if isinstance(kind, tuple) else (kind,)
        if type(value) not in wanted or (isinstance(value, int) and abs(value) > _MOST_NUMBER):
            names = " or ".join(one.__name__ for one in wanted)
            said = "is missing" if value is _NOWHERE else f"is {_short(value)}"
            raise UserError(f"{path}: {key} {said}, but must be {names}; training wrote something else there")


def _filled(node: Any, config: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        return {name: _filled(inner, config) for name, inner in node.items()}
    if isinstance(node, list):
        return [_filled(inner, config) for inner in node]
    return _followed(node, config) if isinstance(node, str) else node


def _followed(text: str, config: Mapping[str, Any]) -> Any:
    """The value that a text with references stands for; a reference to many values stays."""
    start = 0
    for _ in range(_MOST_STEPS):
        found = _REFERENCE.search(text, start)
        if found is None:
            return text
        value = _referred(found, config)
        if value is _NOWHERE or isinstance(value, dict | list):
            start = found.end()
        elif found[0] == text and not isinstance(value, str):
            return value
        else:
            text, start = f"{text[: found.start()]}{value}{text[found.end() :]}", 0
        if len(text) > _LONGEST:
            raise ValueError(f"a value has more than {_LONGEST} characters: {_short(text)}")
    raise ValueError(f"its references lead in circles or are too many: {_short(text)}")


def _referred(found: re.Match[str], config: Mapping[str, Any]) -> Any:
    variable, default, key = found.groups()
    return at(config, key) if variable is None else os.environ.get(variable, default)


def at(config: Mapping[str, Any], key: str) -> Any:
    """The value of a key a.b.c, or _NOWHERE."""
    value: Any = config
    for name in key.split("."):
        value = value.get(name, _NOWHERE) if isinstance(value, dict) else _NOWHERE
    return value


def _short(value: Any) -> str:
    said = " ".join(str(value)[:1000].split())
    return said if len(said) <= 60 else f"{said[:57]}..."
