"""Arrays on disk under a hash of what they were made from, so that no scan is prepared twice.

An entry is a folder of .npy files with a manifest, which says what they must be and is written last. Every
file is moved into place when it is whole, so a stopped process leaves no entry that counts. Of several
processes that need the same entry one makes it, and the others wait. What does not agree with its manifest is
made again over what is there; flipped bits among the voxels are not looked for.
"""

import errno
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError, StorageError
from brainseg.data.storage import not_kept, reason
from brainseg.files.atomic import sha256, writing
from brainseg.files.waiting import one_at_a_time

Arrays = dict[str, NDArray[Any]]
# NumPy parses the header of a .npy as Python, and Python 3.11.7, for one, raises SystemError where
# a collection of garbage lets threads take turns at that (github.com/python/cpython/issues/106905).
_ONE_HEADER = threading.Lock()
VERSION = 1  # of the preprocessing code; raise it when the same settings give other voxels
MANIFEST = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger("brainseg")


class ArrayCache:
    """Named arrays for each key, memory-mapped.

    A folder that may not be written to serves the entries that it holds.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._warned = False

    def get(self, key: str, make: Callable[[], Arrays], *, anew: bool = False) -> Arrays:
        """The arrays under `key`, memory-mapped; made and stored where there is no whole entry, or `anew`.

        Writing into an array changes what this process sees, never the entry.

        Raises:
            StorageError: They cannot be kept, or not be read back.
        """
        entry = self.folder / key[:2] / key
        arrays = None if anew else self._opened(entry)
        if arrays is None:
            with one_at_a_time(entry.with_name(f".{key}.lock")):
                arrays = None if anew else self._opened(entry)
                if arrays is None:
                    self._store(entry, make())
                    arrays = self._opened(entry)
        if arrays is None:
            raise StorageError(
                f"{entry}: was written but does not read back the same; look at that disk, "
                "or set paths.cache=DIR to a folder on another one"
            )
        return arrays

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
        if remembered := _remembered(memo):
            return remembered
        digest = sha256(path)
        try:
            with writing(memo) as temporary:
                temporary.write_text(digest)
        except (OSError, ImageError) as error:  # entries that are there can still be used
            self._warn(
                f"{self.folder}: cannot remember what scans hold, {reason(error)}; they are read again"
            )
        return digest

    def _opened(self, entry: Path) -> Arrays | None:
        """An entry's arrays; None where it is missing, or not what its manifest says."""
        try:
            listed = json.loads((entry / MANIFEST).read_bytes())
            arrays = {name: _mapped(entry / f"{name}.npy", about) for name, about in listed.items()}
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:  # too many open files, for instance: no fault of the entry
            raise StorageError(f"{entry}: cannot be read, {reason(error)}; {_read_mend(error)}") from error
        except Exception:  # a damaged manifest, or header of NumPy, which is Python, fails in a dozen ways
            return None
        return arrays or None

    def _store(self, entry: Path, arrays: Arrays) -> None:
        try:
            listed = {name: _written(entry / f"{name}.npy", array) for name, array in sorted(arrays.items())}
            with writing(entry / MANIFEST) as temporary:
                temporary.write_text(json.dumps(listed))
        except (OSError, ImageError) as error:
            raise not_kept(self.folder, error, "paths.cache") from error

    def _warn(self, message: str) -> None:
        if not self._warned:
            log.warning(message)
        self._warned = True


def _remembered(memo: Path) -> str | None:
    """The digest in a file; None where it holds none: scans with equal digests would be taken for one."""
    try:
        digest = memo.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    return digest if _SHA256.fullmatch(digest) else None


def _written(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    """Write an array, and return what the manifest says of it."""
    with writing(path) as temporary:
        np.save(temporary, array)
        return _about(temporary, array)


def _mapped(path: Path, about: dict[str, Any]) -> NDArray[Any]:
    """An array of an entry.

    Raises:
        ValueError: It is not what the manifest says.
    """
    with _ONE_HEADER:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="c")
    if _about(path, array) != about:
        raise ValueError(f"{path} is not {about}")
    return array


def _about(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": array.dtype.str, "size": path.stat().st_size}


def _read_mend(error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):  # every array of every scan stays open
        return "raise the limit of open files, for instance with ulimit -n 65536"
    return "mend that, or set paths.cache=DIR"
