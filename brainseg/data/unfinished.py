"""What a killed process of an earlier version, or a half-written file of any, has left in our own folders.

Their names do not say whose they are, so only what has not changed for a day is removed. Folders that name
their process are swept by `brainseg.folders`.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

OLD_SECONDS = 24 * 3600.0
COHORT = re.compile(r"\.[0-9a-f]{8}\.(brats|kaggle|nfbs)-[0-9a-f]{10}")  # a cohort that was being written
ENTRY = re.compile(r"\.partial-[0-9a-z_]{8}")  # an entry of the cache that was being written
# A file of an entry, as `files.writing` names it, and a remembered digest, as it and earlier versions do.
FILE = re.compile(r"\.[0-9a-f]{8}\.[a-z_]+\.(npy|json)")
DIGEST = re.compile(r"\.[0-9a-f]{8}\.[0-9a-f]{32}|[0-9a-f]{32}\.\d+")


def sweep_cohorts(root: Path) -> None:
    """Remove cohorts in `root` that were never finished."""
    for folder in _named(root, COHORT):
        _remove(folder)


def sweep_cache(root: Path) -> None:
    """Remove entries, and files of entries, of the cache in `root` that were never finished."""
    for shelf in root.glob("[0-9a-f][0-9a-f]"):
        for folder in _named(shelf, ENTRY):
            _remove(folder)
        _remove_files(shelf.glob("[0-9a-f]*/.*"), FILE)
    _remove_files(root.glob("digests/*"), DIGEST)


def _named(parent: Path, name: re.Pattern[str]) -> Iterator[Path]:
    for folder in parent.glob(".*"):
        if name.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield folder


def _remove_files(files: Iterable[Path], name: re.Pattern[str]) -> None:
    for file in files:
        if name.fullmatch(file.name) and _is_old(file):
            with suppress(OSError):
                file.unlink()


def _remove(folder: Path) -> None:
    """A folder with all in it, if none of it is young; file by file, and nothing that lies elsewhere."""
    inside = sorted(folder.rglob("*"), reverse=True)  # what is in a folder before the folder
    if not all(_is_old(path) for path in (folder, *inside)):
        return
    for path in (*inside, folder):
        with suppress(OSError):  # another process sweeps too, or may remove what this one may not
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:  # it is gone
        return False
