"""Jobs beside each other on this machine: a process for each, with its share of the cores and of the GPUs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.config.errors import ConfigError
from brainseg.system.launched import LAUNCHER

CORES_OF_A_JOB = 4  # where nothing says how many jobs may run at once
LOOK_S = 0.1
PACKAGE = Path(__file__).resolve().parents[2]  # from where this very code is imported
_VISIBLE, _THREADS, _PATH = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTHONPATH"


@dataclass(frozen=True)
class Place:
    """What a job may use while it runs: cores, none where the system does not tell them, and GPUs."""

    cores: tuple[int, ...]
    devices: tuple[str, ...] | None


@dataclass(frozen=True)
class Command:
    """A Python module with its arguments, and the file that all it prints is added to."""

    module: str
    arguments: tuple[str, ...]
    log: Path


def places(n_jobs: int | None, devices: Sequence[Any] | None) -> list[Place]:
    """A place for each job that may run at once; the cores and the GPUs of this process are shared out.

    Args:
        n_jobs: How many; None: one for each of `devices`, or one for each four cores.
        devices: GPUs as PyTorch counts them, [0, 1], or [[0, 1], [2, 3]] for jobs that use two each.

    Raises:
        ConfigError: There is no such GPU among those that this process may see, or n_jobs is below 1.
    """
    cores = _cores()
    n = n_jobs if n_jobs is not None else len(devices or ()) or max(1, len(cores) // CORES_OF_A_JOB)
    if n < 1:
        raise ConfigError(f"hydra.launcher.n_jobs must be at least 1, got {n}")
    given = [_visible(one) for one in devices or ()]
    return [Place(_share(cores, i, n), given[i % len(given)] if given else None) for i in range(n)]


def run_all(
    commands: Sequence[Command],
    at: Sequence[Place],
    begun: Callable[[int], None],
    ended: Callable[[int, int], None],
) -> list[int]:
    """Run commands, one in each place at a time, and give back their exit codes.

    Whatever ends this function before, a stop signal for instance, each command that runs gets a SIGTERM and
    is waited for: it saves what it can. A signal that the terminal sends reaches them by itself.

    Args:
        commands: What is run, in this order.
        at: Where.
        begun: Called with the number of a command that was started.
        ended: Called with the number of a command and its exit code, which is negative after a signal.
    """
    codes = [0] * len(commands)
    waiting, free = list(range(len(commands)))[::-1], list(at)[::-1]
    running: dict[int, tuple[subprocess.Popen[bytes], Place]] = {}
    try:
        while waiting or running:
            while waiting and free:
                number, place = waiting.pop(), free.pop()
                running[number] = (_started(commands[number], place), place)
                begun(number)
            for number, (process, place) in list(running.items()):
                if (code := process.poll()) is not None:
                    del running[number]
                    free.append(place)
                    codes[number] = code
                    ended(number, code)
            time.sleep(LOOK_S)
    finally:
        _stop([process for process, _ in running.values()])
    return codes


def _started(command: Command, place: Place) -> subprocess.Popen[bytes]:
    environment = os.environ | {LAUNCHER: str(os.getpid())}
    environment[_PATH] = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get(_PATH)]))
    if place.cores and os.environ.get(_THREADS):
        environment[_THREADS] = str(min(len(place.cores), int(os.environ[_THREADS])))
    if place.devices is not None:
        environment[_VISIBLE] = ",".join(place.devices)
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", command.module, *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
    if place.cores:
        with suppress(OSError):  # it has ended already
            os.sched_setaffinity(process.pid, place.cores)
    return process


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def _cores() -> list[int]:
    """The cores that this process may use; none where the system, macOS for one, binds none."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _share(cores: Sequence[int], i: int, n: int) -> tuple[int, ...]:
    """The i-th of n shares of the cores, beside each other; one core where there are fewer than shares."""
    if len(cores) < n:
        return tuple(cores[i % len(cores) : i % len(cores) + 1]) if cores else ()
    return tuple(cores[i * len(cores) // n : (i + 1) * len(cores) // n])


def _visible(device: Any) -> tuple[str, ...]:
    """GPUs as the system names them, out of those that this process may see."""
    numbers = [device] if isinstance(device, int | str) else list(device)
    seen = os.environ.get(_VISIBLE)
    if seen is None:
        return tuple(str(one) for one in numbers)
    names = [name.strip() for name in seen.split(",") if name.strip()]
    if bad := [one for one in numbers if not str(one).isdigit() or int(one) >= len(names)]:
        raise ConfigError(
            f"hydra.launcher.devices has {bad[0]}, but {_VISIBLE}={seen} shows {len(names)} GPUs, from 0 on"
        )
    return tuple(names[int(one)] for one in numbers)
