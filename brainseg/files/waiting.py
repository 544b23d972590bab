"""What several processes must do one after the other waits here for its turn."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def one_at_a_time(path: str | Path) -> Iterator[None]:
    """Wait until no other process or thread is within the same `path`, a file that is made as needed.

    The system lets go of it when a process ends, however it ends. Where the file cannot be made, or the file
    system has no locks, nothing is waited for: whoever calls must be right without, only slower.
    """
    file = _locked(Path(path))
    try:
        yield
    finally:
        if file is not None:
            file.close()


def _locked(path: Path) -> IO[bytes] | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        file.close()
        return None
    except BaseException:  # a stop signal came while it waited
        file.close()
        raise
    return file
