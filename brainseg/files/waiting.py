"""What several processes must do one after the other waits here for its turn."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def one_at_a_time(path: str | Path) -> Iterator[None]:
    """Wait until no other process or thread is within the same `path`, a file that is there meanwhile.

    The system lets go of it when a process ends, however it ends. Where the file cannot be made, or the file
    system has no locks, nothing is waited for: whoever calls must be right without, only slower.
    """
    path = Path(path)
    file = _locked(path)
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):
                path.unlink()
            file.close()


def _locked(path: Path) -> IO[bytes] | None:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_there(path, file):
                return file
        except OSError:
            file.close()
            return None
        except BaseException:  # a stop signal came while it waited
            file.close()
            raise
        file.close()  # whoever held it before has removed it


def _is_there(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
