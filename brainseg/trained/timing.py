"""Which of several ways to compute the same is the fastest, from a few timed steps."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Way = TypeVar("Way")
Size = TypeVar("Size")

CLEARLY = 1.15  # a way is left for one that is so many times as fast
HOPELESS = 1.5  # times as slow as the fastest after the first rounds: not timed again
ROUNDS, LONG_S = (3, 20), 0.5  # the first ones, the most; and none but the first after so many seconds
FELT_S = 0.05  # a step that takes so long says enough of a larger one
LEAST_SIDE = 16  # voxels of a patch


def fastest(
    steps: Mapping[Way, Callable[[], None]], clock: Callable[[], float]
) -> tuple[Way, dict[Way, float]]:
    """The way that is clearly faster than those before it, and the seconds of each.

    The ways take turns, and the least of their times counts, so that a program that disturbs for a moment
    disturbs all alike.

    Args:
        steps: What is timed, the usual way first. Each step waits until its device is done.
        clock: Seconds, as `clock_of` has them.
    """
    for step in steps.values():
        step()  # the first one prepares
    least: dict[Way, float] = {}
    began, left = clock(), list(steps)
    for done in range(ROUNDS[1]):
        if done >= ROUNDS[0] and clock() - began >= LONG_S:
            break
        for way in left:
            took = seconds_of(steps[way], clock)
            least[way] = min(took, least.get(way, took))
        if done + 1 >= ROUNDS[0]:
            left = [way for way in left if least[way] <= HOPELESS * min(least.values())]
    chosen = next(iter(steps))
    for way in steps:
        if least[way] * CLEARLY <= least[chosen]:
            chosen = way
    return chosen, least


def growing(shape: Sequence[int], levels: int, least_batch: int = 1) -> list[tuple[int, ...]]:
    """Shapes (B, C, ...) up to `shape`, each with half the voxels or samples of the next.

    Args:
        shape: The largest.
        levels: Of the network of volumes, which halves a side at each but one, to no less than two voxels.
        least_batch: Samples that a step needs; a batch norm needs two of slices.
    """
    found, size = [tuple(shape)], list(shape)
    while size[0] // 2 >= least_batch:
        size[0] //= 2
        found.append(tuple(size))
    while fitting := [axis for axis in range(2, len(size)) if _can_halve(size[axis], levels)]:
        size[max(fitting, key=lambda axis: size[axis])] //= 2
        found.append(tuple(size))
    return found[::-1]


def _can_halve(side: int, levels: int) -> bool:
    half = side // 2
    return levels > 0 and half >= LEAST_SIDE and half % 2**levels == 0


def long_enough(sizes: Sequence[Size], seconds: Callable[[Size], float]) -> Size:
    """The first of growing sizes whose step takes long enough to be timed, or the last.

    Args:
        sizes: The smallest first, the one that is asked for last.
        seconds: What a step of a size takes, once it was prepared.
    """
    for size in sizes[:-1]:
        if seconds(size) >= FELT_S:
            return size
    return sizes[-1]


def clock_of(device_type: str) -> Callable[[], float]:
    """Seconds of the clock, or of a CPU those that this process had: others that use it then count less."""
    return time.process_time if device_type == "cpu" else time.perf_counter


def seconds_of(step: Callable[[], None], clock: Callable[[], float]) -> float:
    """What a step takes."""
    began = clock()
    step()
    return clock() - began
