"""What was timed once is remembered in the cache: a small file for each network, input, device and torch."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brainseg.config.errors import UserError
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.files.waiting import one_at_a_time

_FOLDER = "computing"


def cache_of_user() -> Path | None:
    """BRAINSEG_CACHE, else brainseg's folder in the user's own cache; None for a user without a home."""
    if given := os.environ.get("BRAINSEG_CACHE"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainseg"
    except RuntimeError:
        return None


def recall(folder: Path | None, about: dict[str, Any]) -> dict[str, Any] | None:
    """What is remembered about something, if anything is that can be read."""
    if folder is None:
        return None
    try:
        found = read_json(_file(folder, about))
    except (OSError, UserError):
        return None
    return found if isinstance(found, dict) and found.get("about") == about else None


def recall_or_make(
    folder: Path | None, about: dict[str, Any], make: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """What is remembered, else what is made and remembered from now on; and whether others find it too.

    Where several processes ask for the same, one makes it and the others wait.
    """
    if folder is None:
        return make(), False
    file = _file(folder, about)
    with one_at_a_time(file.with_suffix(".lock")):
        if (known := recall(folder, about)) is not None:
            return known, True
        made = {"about": about, **make()}
        try:
            with writing(file) as temporary:
                temporary.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        except (OSError, UserError):  # a cache that may not be written to
            return made, False
        return made, True


def _file(folder: Path, about: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]
    return folder / _FOLDER / f"{digest}.json"
