"""sweep.json: the jobs of a sweep and how far each is, derived from the job.json of each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from brainseg.config.errors import ConfigError, UnreadableError, UserError
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.files.typed import from_plain, to_plain
from brainseg.files.waiting import one_at_a_time
from brainseg.sweeps.identity import Identity, Pairs, difference
from brainseg.sweeps.job import Job, Metric, State, read_job, state_now

NAME, SCHEMA = "sweep.json", 1
_TURN = ".sweep.lock"  # whoever writes the ledger waits for its turn


@dataclass(frozen=True)
class Entry:
    """A job of a sweep.

    Attributes:
        overrides: Its swept keys and values.
        folder: Its folder's name, in the sweep's.
        task: Which model it trains.
        sha256: Of what it learns from and how.
        updated: When its job.json was written, seconds since 1970; None before.
    """

    overrides: Pairs
    folder: str
    task: str
    sha256: str
    state: State = State.waiting
    metric: Metric | None = None
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    attempts: int = 0
    error: str | None = None
    updated: float | None = None


@dataclass(frozen=True)
class Ledger:
    """A sweep: what it is, the arguments of the command that began it, and its jobs in their order."""

    schema: int
    fixed: list[str]
    keys: list[str]
    arguments: list[str]
    jobs: list[Entry]

    def count(self, state: State) -> int:
        return sum(job.state is state for job in self.jobs)


def read_ledger(folder: Path) -> Ledger:
    """The ledger of a sweep with the states of this moment, which may be later than those in its file.

    Raises:
        UserError: The folder is that of no sweep with a ledger.
        UnreadableError: The ledger says something else.
    """
    path = folder / NAME
    try:
        stored = read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{path} is not there; give the folder of a sweep (train.py -m ...), as below outputs/sweeps"
        ) from error
    ledger = from_plain(Ledger, stored, path)
    if ledger.schema > SCHEMA:
        raise UnreadableError(f"{path} is of a later version of brainseg; use that, or a new folder")
    return replace(ledger, jobs=[_as_now(folder, entry) for entry in ledger.jobs])


def plan(folder: Path, identity: Identity, arguments: Sequence[str], jobs: Sequence[Entry]) -> Ledger:
    """Write down the jobs of a sweep, behind those that it had.

    Raises:
        ConfigError: The folder is that of another sweep.
    """
    with one_at_a_time(folder / _TURN):
        before = refuse_other_sweep(folder, identity)
        known = {entry.folder: entry for entry in before.jobs} if before else {}
        every = {**known, **{entry.folder: entry for entry in jobs}}
        ledger = Ledger(
            SCHEMA, [*identity.fixed], [*identity.keys], [*arguments],
            [_as_now(folder, entry) for entry in every.values()],
        )  # fmt: skip
        _write(folder, ledger)
    return ledger


def refuse_other_sweep(folder: Path, identity: Identity) -> Ledger | None:
    """The ledger in a folder, None where there is none.

    Raises:
        ConfigError: It is of another sweep.
    """
    if not (folder / NAME).exists():
        return None
    before = read_ledger(folder)
    theirs = Identity(tuple(before.fixed), tuple(before.keys))
    if theirs != identity:
        raise ConfigError(
            f"hydra.sweep.dir={folder} holds another sweep: {difference(theirs, identity)}; give another "
            "folder, or leave hydra.sweep.dir out"
        )
    return before


def refresh(folder: Path) -> Ledger | None:
    """Bring sweep.json up to date; None where there is none."""
    with one_at_a_time(folder / _TURN):
        if not (folder / NAME).exists():
            return None
        ledger = read_ledger(folder)
        _write(folder, ledger)
    return ledger


def is_job(run: Path) -> bool:
    """Whether a run's folder is that of a job of a sweep with a ledger."""
    try:
        jobs = read_json(run.parent / NAME)["jobs"]
        return run.name in {job["folder"] for job in jobs}
    except (OSError, UnreadableError, KeyError, TypeError):
        return False


def _as_now(folder: Path, entry: Entry) -> Entry:
    """An entry with what the job's own file says now."""
    run = folder / entry.folder
    try:
        job = read_job(run)
    except UnreadableError as error:
        return replace(entry, state=State.failed, error=str(error))
    return entry if job is None else _filled(run, entry, job)


def _filled(run: Path, entry: Entry, job: Job) -> Entry:
    return replace(
        entry,
        sha256=job.sha256,
        state=state_now(run, job),
        metric=job.metric,
        epoch=job.epoch,
        epochs=job.epochs,
        seconds=job.seconds,
        attempts=job.attempts,
        error=job.error,
        updated=job.updated,
    )


def _write(folder: Path, ledger: Ledger) -> None:
    with writing(folder / NAME) as temporary:
        temporary.write_text(json.dumps(to_plain(ledger), indent=1) + "\n", encoding="utf-8")
