"""How batches are loaded: the settings that all data modules share."""

import torch

from brainseg.config.errors import ConfigError, DataError
from brainseg.data.handover import CPU, Handover
from brainseg.data.loader import Loader, Samples
from brainseg.data.sampling import EpochSampler
from brainseg.runs.position import START, Position
from brainseg.system.device import own_cores
from brainseg.system.terminal import say
from brainseg.system.threads import loaders_beside


def worker_count(workers: int | str) -> int:
    """Loader processes: as asked for; "auto" is a core each that the threads which compute leave, up to 8.

    The processes of a training on several devices share the cores of their machine out.
    """
    if workers == "auto":
        return loaders_beside(torch.get_num_threads(), own_cores())
    if isinstance(workers, int) and workers >= 0:
        return workers
    raise ConfigError(f"data.workers must be auto or a number from 0 up, got {workers}")


def train_loader(
    dataset: Samples,
    n: int,
    batch_size: int,
    seed: int,
    workers: int,
    beginning: Position = START,
    handover: Handover = CPU,
) -> Loader:
    """Batches in a new order every epoch, the same for any number of workers.

    Args:
        dataset: Its samples are asked for by (epoch, index).
        n: How many samples an epoch has.
        batch_size: Samples of a batch.
        seed: Draws the order.
        workers: Loader processes.
        beginning: Where the training stands; a run that goes on gets its first batches from there.
        handover: What is done for the device.
    """
    sampler = EpochSampler(n, seed, beginning.epochs, beginning.batches * batch_size)
    return Loader(
        dataset,
        batch_size,
        workers,
        handover,
        sampler=sampler,
        drop_last=len(sampler) > batch_size,  # never the only batch of a process
    )


def plain_loader(dataset: Samples, batch_size: int, workers: int, handover: Handover = CPU) -> Loader:
    """Everything once, in order."""
    return Loader(dataset, batch_size, workers, handover)


def refuse_if_bad(problems: dict[str, str], total: int, what: str, skip: bool) -> None:
    """Name every unusable case before training starts; go on without them only when told to.

    Raises:
        DataError: There are unusable cases and `skip` is false, or nothing is left.
    """
    if not problems:
        return
    shown = "; ".join(f"{name}: {problem}" for name, problem in sorted(problems.items())[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    if not skip or len(problems) == total:
        raise DataError(
            f"{len(problems)} of {total} {what} cannot be used: {shown}{more}; "
            f"mend or remove them, or leave them out with data.skip_bad=true"
        )
    say(f"left out {len(problems)} of {total} {what}, as data.skip_bad=true says: {shown}{more}")
