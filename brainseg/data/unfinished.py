"""What killed processes have left in the cache and among the cohorts.

Files and folders that name their process are swept when it is dead, by `brainseg.files.atomic` and
`brainseg.files.folders`. The names of earlier versions do not, so only those that have not changed for a day
are removed.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from brainseg.files.atomic import sweep_files

OLD_SECONDS = 24 * 3600.0
COHORT = re.compile(r"\.[0-9a-f]{8}\.(brats|kaggle|nfbs)-[0-9a-f]{10}")  # a cohort that was being written
ENTRY = re.compile(r"\.partial-[0-9a-z_]{8}")  # an entry of the cache that was being written
DIGEST = re.compile(r"[0-9a-f]{32}\.\d+")  # a remembered digest that was being written


def sweep_cohorts(root: Path) -> None:
    """Remove cohorts in `root` that were never finished."""
    for folder in _named(root, COHORT):
        _remove(folder)


def sweep_cache(root: Path) -> None:
    """Remove entries, and files of entries, of the cache in `root` that were never finished.

    What may not be removed stays: a cache that is read-only is still of use.
    """
    for shelf in root.glob("[0-9a-f][0-9a-f]"):
        for folder in _named(shelf, ENTRY):
            _remove(folder)
        for entry in shelf.glob("[0-9a-f]*"):
            with suppress(OSError):
                sweep_files(entry)
    with suppress(OSError):
        sweep_files(root / "digests")
    for file in root.glob("digests/*.*"):
        if DIGEST.fullmatch(file.name) and _is_old(file):
            with suppress(OSError):
                file.unlink()


def _named(parent: Path, name: re.Pattern[str]) -> Iterator[Path]:
    for folder in parent.glob(".*"):
        if name.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield folder


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
