"""How many cores other programs leave free, from what Linux counts while this program loads its libraries."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
LEAST_S = 0.5  # the system counts in hundredths of a second

_IDLE = (3, 4)  # of the columns of /proc/stat: idle, and idle while a disk is waited for
_COUNTED = 8  # columns; the time of guests is in the first two already


@dataclass(frozen=True)
class Moment:
    """What was counted up to a moment.

    Args:
        at_s: The moment.
        own_s: Processor seconds of this process and of those that it has waited for.
        busy_s: Seconds that each core was busy, by its number.
    """

    at_s: float
    own_s: float
    busy_s: dict[int, float]


_began: list[Moment] = []


def note_begin() -> None:
    """Keep what is counted up to now: this program begins."""
    _began[:] = [moment()]


def moment(stat: Path = STAT) -> Moment:
    """What is counted now; no core where the system does not count."""
    used = os.times()
    own_s = used.user + used.system + used.children_user + used.children_system
    return Moment(time.monotonic(), own_s, _busy_s(stat))


def free_cores(cores: int) -> int:
    """Cores that are left to this program, 1 to `cores`; all of them where it is not known.

    Args:
        cores: Those that it may use.
    """
    return cores if not _began else free_between(_began[0], moment(), cores, _bound_to())


def free_between(before: Moment, now: Moment, cores: int, bound_to: set[int]) -> int:
    """Cores, 1 to `cores`, that others left free between two moments, on those that this process is bound to.

    Args:
        before: When this program began.
        now: When it asks.
        cores: The most that it may use: a container may give it fewer than it is bound to.
        bound_to: Numbers of the cores that it may run on.
    """
    there = bound_to & before.busy_s.keys() & now.busy_s.keys()
    seconds = now.at_s - before.at_s
    if not there or seconds < LEAST_S:
        return cores
    busy_s = sum(now.busy_s[core] - before.busy_s[core] for core in there) - (now.own_s - before.own_s)
    return max(1, min(cores, round(len(there) - busy_s / seconds)))


def _bound_to() -> set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()


def _busy_s(stat: Path) -> dict[int, float]:
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return {}
    rows = [line.split() for line in lines if line.startswith("cpu") and line[3:4].isdigit()]
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        int(name[3:]): sum(int(n) for k, n in enumerate(counts[:_COUNTED]) if k not in _IDLE) / ticks
        for name, *counts in rows
    }
