"""Arrays on disk under a hash of what they were made from, so that no scan is prepared twice.

An entry is a folder of .npy files. It is written under a temporary name and moved into place, so that several
processes may ask for the same entry at once: the first to finish wins, and nobody sees a half-written one.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
# NumPy parses the header of a .npy as Python, and Python 3.11.7, for one, raises SystemError where
# a collection of garbage lets threads take turns at that (github.com/python/cpython/issues/106905).
_ONE_HEADER = threading.Lock()
VERSION = 1  # of the preprocessing code; raise it when the same settings give other voxels


class ArrayCache:
    """Named arrays for each key, memory-mapped."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays under `key`, memory-mapped; made and stored on the first request.

        Who writes into one changes what this process sees, never the entry.
        """
        entry = self.folder / key[:2] / key
        if not entry.is_dir():
            self._store(entry, make())
        with _ONE_HEADER:
            return {path.stem: np.load(path, mmap_mode="c") for path in sorted(entry.glob("*.npy"))}

    def key(self, files: Iterable[Path], **settings: Any) -> str:
        """A hash of the files' contents and the settings; a change of either gives another key."""
        digests = [self._digest(path) for path in files]
        about = json.dumps([VERSION, digests, settings], sort_keys=True, default=str)
        return hashlib.sha256(about.encode()).hexdigest()[:32]

    def _digest(self, path: Path) -> str:
        """The sha256 of a file, remembered by its path, size and time so that a cohort is read once."""
        stat = path.stat()
        about = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        memo = self.folder / "digests" / hashlib.sha256(about.encode()).hexdigest()[:32]
        if memo.is_file():
            return memo.read_text()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        memo.parent.mkdir(parents=True, exist_ok=True)
        partial = memo.with_suffix(f".{os.getpid()}")
        partial.write_text(digest)
        partial.replace(memo)
        return digest

    def _store(self, entry: Path, arrays: Arrays) -> None:
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=entry.parent))
        try:
            for name, array in arrays.items():
                np.save(partial / f"{name}.npy", array)
            partial.rename(entry)
        except OSError:
            if not entry.is_dir():  # the disk is full, not: another process was first
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
