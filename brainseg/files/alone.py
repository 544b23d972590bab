"""One process at a time: what several of them write together in one folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = ".brainseg-lock"  # in the folder; gone when nobody holds it


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process holds a folder, also one of another machine, and hold it.

    The system lets go of it when a process ends, however it ends. A file system without locks lets everyone
    in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    while True:
        with path.open("a+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX)
            except OSError:
                yield
                return
            if not _is_same(path, file.fileno()):
                continue  # whoever held it has removed it
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False
