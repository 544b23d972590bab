"""Work on many files, shared out among threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from brainseg.system.device import threads
from brainseg.system.terminal import followed

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_threads(work: Callable[[Job], Result], jobs: Sequence[Job], about: str) -> Iterator[Result]:
    """Results in order, with a bar in a terminal; numpy, torch and PIL compute without Python's lock."""
    with ThreadPoolExecutor(threads()) as pool:
        yield from followed(pool.map(work, jobs), about, len(jobs))
