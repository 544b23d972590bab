"""job.json: how far a job of a sweep is, written by the process that trains it, in the job's own folder."""

import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil
from omegaconf import DictConfig

from brainseg.config import UserError, decisive
from brainseg.config.errors import UnreadableError
from brainseg.files.atomic import host, writing
from brainseg.files.plain import read_json
from brainseg.files.typed import from_plain, to_plain

NAME, SCHEMA = "job.json", 1
BEAT_S = 30.0  # a process says so often that it lives
SILENT_S = 300.0  # after which a process of another machine, which nobody here can ask, counts as dead
_CLOCK_S = 2.0  # two readings of when a process began differ by less


class State(StrEnum):
    waiting = "waiting"  # not started, or to be begun anew
    running = "running"
    done = "done"
    pruned = "pruned"  # ended early, as it fell behind other trials of a search; its checkpoint is kept
    failed = "failed"  # by an error, or killed by the system
    stopped = "stopped"  # by a signal, or its process is gone; it goes on from its last checkpoint


@dataclass(frozen=True)
class Metric:
    """The best value so far of what a job is judged by; None before the first validation."""

    name: str
    mode: str  # min or max: which value is better
    value: float | None


@dataclass(frozen=True)
class Process:
    """A process: its number, when it began by the clock of its machine, and that machine."""

    number: int
    began: float
    node: str


@dataclass(frozen=True)
class Job:
    """How far a job is.

    Attributes:
        state: As it was written; `state_now` knows of processes that have died since.
        attempts: How often it was begun or gone on with.
        seconds: Of all attempts, up to `updated`.
        started, updated: When this attempt began, and when this was written; seconds since 1970.
        epoch, epochs: Epochs that are done, and all of them.
        error: Why it failed, in one line.
        settings: What it learns from and how, by full key, as `brainseg.config.decisive` tells it.
        sha256: Of `settings`.
        anew: Whether it has to be begun anew, over what is in its folder.
    """

    schema: int
    state: State
    attempts: int
    started: float
    updated: float
    seconds: float
    epoch: int
    epochs: int
    metric: Metric
    error: str | None
    process: Process
    sha256: str
    settings: dict[str, Any]
    anew: bool = False


class StoppedJobError(UserError):
    """A job was stopped, perhaps before it could write its file: it waits, or goes on later."""


class Pruned(Exception):
    """A training was ended early; its best value so far."""

    def __init__(self, value: float) -> None:
        super().__init__(f"pruned with a value of {value}")
        self.value = value


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """What a job learns from and how, as it is read back from its file."""
    settings: dict[str, Any] = json.loads(json.dumps(decisive(cfg)))
    return settings


def settings_hash(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def read_job(run: Path) -> Job | None:
    """What job.json in a folder says; None where there is none.

    Raises:
        UnreadableError: It says something else, or is of a later version.
    """
    try:
        stored = read_json(run / NAME)
    except FileNotFoundError:
        return None
    job = from_plain(Job, stored, run / NAME)
    if job.schema > SCHEMA:
        raise UnreadableError(f"{run / NAME} is of a later version of brainseg; use that, or a new folder")
    return job


def state_now(run: Path, job: Job) -> State:
    """The state of a job; one that is said to run, but whose process is dead, was stopped."""
    if job.state is State.running and not _is_alive(run, job):
        return State.stopped
    return job.state


def recorded(run: Path, cfg: DictConfig, body: Callable[[], float], note: Callable[[Path], object]) -> float:
    """Run the body of a job, and keep in its job.json how it goes.

    Args:
        run: The job's folder, which no other process trains in.
        cfg: Its config.
        body: Gives back the best value of the monitored metric.
        note: Called with the sweep's folder once the job has begun, and once it has ended.
    """
    _write(run, _begun(run, cfg))
    note(run.parent)
    try:
        with _beating(run):
            value, state = _ended(body)
    except BaseException as error:
        failed = isinstance(error, Exception)  # what stops a run is none: SystemExit, KeyboardInterrupt
        note_end(run, State.failed if failed else State.stopped, one_line(error) if failed else None)
        raise
    else:
        note_end(run, state, value=value)
    finally:
        note(run.parent)
    return value


def _ended(body: Callable[[], float]) -> tuple[float, State]:
    try:
        return body(), State.done
    except Pruned as end:
        return end.value, State.pruned


def note_epoch(run: Path, epoch: int, value: float | None) -> None:
    """Note that a job has done so many epochs, and its best value so far."""
    if (job := read_job(run)) is not None:
        _write(run, replace(_measured(job, value), epoch=epoch))


def note_end(run: Path, state: State, error: str | None = None, value: float | None = None) -> None:
    """Note how a job has ended; nothing, where it has noted that itself."""
    job = read_job(run)
    if job is not None and job.state in (State.running, State.waiting):
        _write(run, replace(_measured(job, value), state=state, error=error))


def note_failure(run: Path, cfg: DictConfig, error: str) -> None:
    """Note a job that has failed before it could note anything itself."""
    begun = _begun(run, cfg)
    job = read_job(run)
    if job is None or job.state is State.waiting:
        _write(run, replace(begun, state=State.failed, error=error))
    else:
        note_end(run, State.failed, error)


def begin_anew(run: Path) -> None:
    """Let a job that has been run before wait again, to be begun anew."""
    if (job := read_job(run)) is not None:
        _write(run, replace(job, state=State.waiting, anew=True, error=None))


def one_line(error: BaseException) -> str:
    """An error in one line: ours as they are, others with their kind."""
    said = " ".join(str(error).split())
    return said if isinstance(error, UserError) else f"{type(error).__name__}: {said}"[:500]


def _begun(run: Path, cfg: DictConfig) -> Job:
    before, now, section = read_job(run), time.time(), cfg[cfg.task]
    metric = Metric(str(section.monitor), str(section.monitor_mode), None)
    settings = settings_of(cfg)
    began = Job(
        schema=SCHEMA, state=State.running, attempts=1, started=now, updated=now, seconds=0.0,
        epoch=0, epochs=int(cfg.trainer.max_epochs), metric=metric, error=None, process=_this_process(),
        sha256=settings_hash(settings), settings=settings,
    )  # fmt: skip
    if before is None:
        return began
    if cfg.resume is None:
        return replace(began, attempts=before.attempts + 1)
    return replace(
        began, attempts=before.attempts + 1, seconds=before.seconds, epoch=before.epoch, metric=before.metric
    )


def _measured(job: Job, value: float | None) -> Job:
    """A job with what is known now: the time, and the best value where there is one."""
    now = time.time()
    known = job.metric.value if value is None or not math.isfinite(value) else value
    running = max(0.0, now - job.updated) if job.state is State.running else 0.0
    return replace(job, seconds=job.seconds + running, updated=now, metric=replace(job.metric, value=known))


def _write(run: Path, job: Job) -> None:
    with writing(run / NAME) as temporary:
        temporary.write_text(json.dumps(to_plain(job), indent=1) + "\n", encoding="utf-8")


def _this_process() -> Process:
    return Process(os.getpid(), psutil.Process().create_time(), host())


def _is_alive(run: Path, job: Job) -> bool:
    if job.process.node != host():
        with suppress(OSError):
            return time.time() - (run / NAME).stat().st_mtime < SILENT_S
        return False
    try:
        began = psutil.Process(job.process.number).create_time()
    except psutil.Error:
        return False
    return bool(abs(began - job.process.began) < _CLOCK_S)


@contextmanager
def _beating(run: Path) -> Iterator[None]:
    """While this lasts, the time of job.json says that its process lives: for those on other machines."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            with suppress(OSError):
                os.utime(run / NAME)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        over.set()
