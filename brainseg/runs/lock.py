"""One training at a time in a run's folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brainseg.config.errors import ConfigError

NAME = ".training"  # in a run's folder, with the process that trains there


@contextmanager
def only_training_in(run: Path) -> Iterator[None]:
    """Hold a run's folder; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: Another process trains there.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / NAME).open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which loader workers do not inherit
        except (BlockingIOError, PermissionError):
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ConfigError(
                f"{run}: {holder} trains there already; wait for it, or give this run a folder of its own by "
                "hydra.run.dir="
            ) from None
        except OSError:
            pass  # a file system without locks
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                (run / NAME).unlink()
