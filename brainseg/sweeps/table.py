"""The table of a sweep: where each job stands, how long the rest will take, and what to type next."""

import shlex
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.table import Table

from brainseg.runs.config import BEST
from brainseg.sweeps.identity import SEARCH
from brainseg.sweeps.job import State
from brainseg.sweeps.ledger import Entry, Ledger
from brainseg.system.terminal import cell

_STYLES = {
    State.done: "green",
    State.failed: "red",
    State.running: "bold",
    State.stopped: "yellow",
    State.pruned: "blue",
}


def table(ledger: Ledger) -> Table:
    """A row for each job: state, epoch, metric, seconds, and when a running one will end."""
    names = {job.metric.name for job in ledger.jobs if job.metric}
    metric = names.pop() if len(names) == 1 else "metric"
    made = Table(box=None, pad_edge=False)
    for head in ("job", "state", "epoch", metric, "seconds", "ends"):
        made.add_column(head, justify="left" if head in ("job", "state", "ends") else "right")
    for job in ledger.jobs:
        made.add_row(*(cell(text, _STYLES.get(job.state, "")) for text in _row(job)))
    return made


def end_lines(folder: Path, ledger: Ledger) -> Iterator[str]:
    """What is said below the table: counts, failures, the best job, and the command to type next."""
    counts = [f"{n} {state}" for state in State if (n := ledger.count(state))]
    yield f"{folder}: {_jobs(len(ledger.jobs))}: {', '.join(counts)}{_time_left(ledger)}"
    for job in ledger.jobs:
        if job.state is State.failed:
            yield f"failed: {folder / job.folder}: {job.error}"
    best = best_job(ledger)
    if best is not None and best.metric is not None:
        yield f"best: {best.folder}, {best.metric.name} {best.metric.value:.4f}"
    yield from _next(folder, ledger, best)


def best_job(ledger: Ledger) -> Entry | None:
    """The job that is done with the best value; None where jobs are judged by different metrics."""
    done = [job for job in ledger.jobs if job.state is State.done and job.metric]
    scored = [(job, job.metric.value) for job in done if job.metric and job.metric.value is not None]
    if len({(job.metric.name, job.metric.mode) for job in done if job.metric}) != 1 or not scored:
        return None
    lowest = done[0].metric is not None and done[0].metric.mode == "min"
    return (min if lowest else max)(scored, key=lambda one: one[1])[0]


def seconds_left(ledger: Ledger) -> float | None:
    """Until the jobs that run and wait are done; None where no job tells how long an epoch takes.

    Jobs that wait are taken to be like those that are known, and as many run beside each other as now.
    """
    paces = [job.seconds / job.epoch for job in ledger.jobs if job.epoch]
    if not paces:
        return None
    pace = sum(paces) / len(paces)
    open_jobs = [job for job in ledger.jobs if job.state in (State.running, State.waiting, State.stopped)]
    epochs = sum(job.epochs - job.epoch for job in open_jobs)
    return pace * epochs / max(1, ledger.count(State.running))


def _row(job: Entry) -> tuple[str, ...]:
    value = job.metric.value if job.metric else None
    return (
        job.folder,
        str(job.state),
        f"{job.epoch}/{job.epochs}" if job.epochs else "",
        "" if value is None else f"{value:.4f}",
        f"{_seconds(job):.0f}" if job.attempts else "",
        _ends(job),
    )


def _seconds(job: Entry) -> float:
    running = job.state is State.running and job.updated is not None
    return job.seconds + (time.time() - (job.updated or 0.0) if running else 0.0)


def _ends(job: Entry) -> str:
    """When a running job will end, by the pace of its epochs so far."""
    if job.state is not State.running or not job.epoch or job.updated is None:
        return ""
    return _clock(job.updated + job.seconds / job.epoch * (job.epochs - job.epoch))


def _time_left(ledger: Ledger) -> str:
    left = seconds_left(ledger) if ledger.count(State.running) else None
    return "" if left is None else f"; all done at about {_clock(time.time() + left)}"


def _clock(moment: float) -> str:
    """A time of day, with the date unless it is today."""
    then = datetime.fromtimestamp(moment)
    return then.strftime("%H:%M:%S" if then.date() == datetime.now().date() else "%Y-%m-%d %H:%M")


def _next(folder: Path, ledger: Ledger, best: Entry | None) -> Iterator[str]:
    if ledger.count(State.running):
        yield f"watch it: brainseg sweep {shlex.quote(str(folder))} --watch"
        return
    command = shlex.join(["python", "train.py", *ledger.arguments])
    if ledger.count(State.stopped) or ledger.count(State.waiting):
        yield f"go on with the same command: {command}"
    if ledger.count(State.failed) and SEARCH not in ledger.fixed:
        yield f"try the failed ones again: {command} sweep.retry=failed"
    if best is not None:
        checkpoint = shlex.quote(f"{best.task}={folder / best.folder / BEST}")
        yield f"predict with the best one: python predict.py input=PATH {checkpoint}"


def _jobs(n: int) -> str:
    return f"{n} job{'s' * (n != 1)}"
