"""One training at a time in a run's folder, one sweep at a time in a sweep's."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from brainseg.config.errors import ConfigError

NAME = ".training"  # in a run's folder, with the process that trains there
SWEEPING = ".sweeping"  # the same of a sweep
_HOLDER = re.compile(r"process (\d{1,9}) on (.+)")


@contextmanager
def only_training_in(run: Path) -> Iterator[None]:
    """Hold a run's folder; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: Another process trains there.
    """
    mend = "wait for it, or give this run a folder of its own by hydra.run.dir="
    with _only_one(run / NAME, "trains", mend):
        yield


@contextmanager
def only_sweep_in(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder in the same way.

    Raises:
        ConfigError: Another process runs a sweep there.
    """
    mend = "wait for it, or give this sweep a folder of its own by hydra.sweep.dir="
    with _only_one(folder / SWEEPING, "runs a sweep", mend):
        yield


def is_swept(folder: Path) -> bool:
    """Whether a sweep is being run in a folder, as far as can be known from this machine."""
    with suppress(OSError):
        named = _HOLDER.fullmatch((folder / SWEEPING).read_text(errors="replace"))
        return named is not None and (named[2] != os.uname().nodename or psutil.pid_exists(int(named[1])))
    return False


@contextmanager
def _only_one(path: Path, does: str, mend: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which loader workers do not inherit
        except (BlockingIOError, PermissionError):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ConfigError(f"{path.parent}: {holder} {does} there already; {mend}") from None
        except OSError:
            pass  # a file system without locks
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
