"""How many threads compute, beside how many processes load samples: chosen together from the cores there are.

The threads of a layer wait for each other. Where one of them has no core, all do: an epoch of a small
network with two threads on two cores takes several times as long beside one busy program
(docs/experiments/training-speed.md). A core that loads samples waits for nobody.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from brainseg.system.busy import free_cores
from brainseg.system.device import threads as usable_cores

VARIABLE = "OMP_NUM_THREADS"
MOST_LOADERS = 8
CORES_OF_A_LOADER = 4  # a CPU that trains has one process that loads for each four cores


def asked_threads() -> int | None:
    """What the user has said by OMP_NUM_THREADS; None where nothing."""
    given = os.environ.get(VARIABLE, "")
    return int(given) if given.isdigit() and int(given) > 0 else None


def threads_beside(workers: int | str, cores: int, device_type: str) -> int:
    """Threads of a training that loads with so many processes.

    Args:
        workers: data.workers: a number, or auto.
        cores: Those of this process of the training.
        device_type: Where the network computes. On a GPU the CPU has little but loading to do.
    """
    if isinstance(workers, int):
        return max(1, cores - workers)
    loaders = max(1, cores // CORES_OF_A_LOADER) if device_type == "cpu" else cores - 1
    return max(1, cores - min(loaders, MOST_LOADERS))


def loaders_beside(threads: int, cores: int) -> int:
    """Processes that load beside so many threads: a core each that is left."""
    return max(0, min(MOST_LOADERS, cores - threads))


def threads_to_predict(asked: int | str) -> int:
    """Threads of a prediction: as asked, by OMP_NUM_THREADS too, else a core each that others leave free."""
    if isinstance(asked, int):
        return asked
    return asked_threads() or free_cores(usable_cores())


@contextmanager
def computing_with(threads: int, *, children: bool = False) -> Iterator[None]:
    """Compute with so many threads within.

    Args:
        threads: At least 1.
        children: Whether processes that are begun within shall do so too.
    """
    before, variable = torch.get_num_threads(), os.environ.get(VARIABLE)
    torch.set_num_threads(threads)
    if children:
        os.environ[VARIABLE] = str(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if variable is not None:
            os.environ[VARIABLE] = variable
        elif children:
            os.environ.pop(VARIABLE, None)
