"""How many loader processes the shared memory has room for: torch hands every batch over through it.

Docker gives a container 64 MB. A batch without room there ends a training with a bus error, or "unable to
allocate shared memory" from deep inside of torch, often hours after its start.
"""

import shutil
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from brainseg.config.errors import ConfigError
from brainseg.data.loading import worker_count
from brainseg.system.device import processes_here

SHARED = Path("/dev/shm")  # of Linux; other systems have no such limit
AHEAD = 2  # batches that torch lets each process have ready
IN_HAND = 2  # the one that is trained on and the next, which Lightning fetches before it
_say = rank_zero_only(print)  # of several processes one speaks


def fitting_workers(asked: int | str, *, train_bytes: int, other_bytes: int) -> int:
    """Loader processes: as `worker_count` has them, and of "auto" no more than there is room for.

    Args:
        asked: data.workers.
        train_bytes: One batch of the training part.
        other_bytes: The largest batch of the other parts, whose loader lives beside that of the training.

    Raises:
        ConfigError: A number was asked for that there is no room for.
    """
    workers, free = worker_count(asked), _free_bytes()
    pair = (train_bytes + other_bytes) * processes_here()
    if free is None or not workers or _needed(workers, pair) <= free:
        return workers
    there = f"{SHARED} has {free / 1e6:.0f} MB free, but data.workers={asked}"
    if asked == "auto":
        fewer = max(n for n in range(workers) if n == 0 or _needed(n, pair) <= free)
        _say(f"{there} would be {workers}, which need {_needed(workers, pair) / 1e6:.0f} MB: taking {fewer}")
        return fewer
    raise ConfigError(
        f"{there} needs about {_needed(workers, pair) / 1e6:.0f} MB there; set data.workers=0 or auto, "
        "or enlarge it (docker run --shm-size=8g)"
    )


def _needed(workers: int, pair: int) -> int:
    return (AHEAD * workers + IN_HAND) * pair


def _free_bytes() -> int | None:
    return shutil.disk_usage(SHARED).free if SHARED.is_dir() else None
