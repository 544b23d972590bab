"""A cohort that trainings share: written by the first that needs it, made whole where files are missing."""

import json
import logging
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from brainseg.files.atomic import writing
from brainseg.files.folders import sweep, temporary_folder
from brainseg.files.waiting import one_at_a_time
from brainseg.phantom.cohort import write_cohort

MANIFEST = ".cohort.json"  # the size of each file; hidden, so that no reader takes it for data

log = logging.getLogger("brainseg")


def keep_cohort(root: str | Path, **cohort: Any) -> None:
    """See to it that `root` holds a whole cohort; of several processes one makes it, and the others wait.

    What is missing or of another size is made again. A file that would be replaced stays beside the new one
    under a hidden name, and nothing is removed.

    Args:
        root: The cohort's folder, there or not.
        cohort: As for `write_cohort`.

    Raises:
        ImageError: The disk is full, or the folder may not be written to.
        ConfigError: As of `write_cohort`.
    """
    root = Path(root)
    if is_whole(root):
        return
    with one_at_a_time(root.with_name(f".{root.name}.lock")):
        if not is_whole(root):
            _make(root, **cohort)


def _make(root: Path, **cohort: Any) -> None:
    anew = not root.exists()
    sweep(root.parent)
    with temporary_folder(root) as folder:
        made = folder / root.name
        write_cohort(made, **cohort)
        files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        moved = [file for file in files if _moved_in(made / file, root / file)]
    if moved and not anew:
        log.warning(
            "%s: %d files were missing or damaged, and are made again: %s", root, len(moved), moved[0]
        )
    with writing(root / MANIFEST) as temporary:
        temporary.write_text(json.dumps({str(file): _size(root / file) for file in files}, indent=1))


def is_whole(root: Path) -> bool:
    """Whether all files of a cohort are there with their sizes; of files that are not its own it warns."""
    try:
        listed = dict(json.loads((root / MANIFEST).read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return False
    if not listed or any(_size(root / file) != size for file, size in listed.items()):
        return False
    _warn_of_others(root, listed)
    return True


def _moved_in(made: Path, target: Path) -> bool:
    """Put a file where it belongs, unless one of its size is there."""
    if _size(target) == _size(made):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        os.rename(target, target.with_name(f".{target.name}.was-{secrets.token_hex(4)}"))
    os.replace(made, target)
    return True


def _warn_of_others(root: Path, listed: Iterable[str]) -> None:
    there = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    shown = {str(path) for path in there if not any(part.startswith(".") for part in path.parts)}
    if others := sorted(shown - set(listed)):
        log.warning(
            "%s: %d files there are not of this cohort, which a reader may take for scans: %s",
            root, len(others), others[0],
        )  # fmt: skip


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
