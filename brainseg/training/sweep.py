"""What `train.py -m` does: check every job, leave out what is done, go on with the rest.

Each job is tried before the first one starts, so a value that cannot work costs no run.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from brainseg.config import ConfigError, UserError, check
from brainseg.config.arguments import quoted
from brainseg.config.choices import Retry
from brainseg.config.launching import GridSettings, check_launching
from brainseg.runs.config import LAST
from brainseg.runs.lock import only_sweep_in
from brainseg.sweeps.identity import Identity, Pairs, identity_of, jobs_of, overrides_of
from brainseg.sweeps.job import (
    Job,
    State,
    StoppedJobError,
    begin_anew,
    note_failure,
    one_line,
    read_job,
    settings_hash,
    settings_of,
    state_now,
)
from brainseg.sweeps.ledger import Entry, plan, refresh, refuse_other_sweep
from brainseg.sweeps.names import job_name
from brainseg.sweeps.table import end_lines, table
from brainseg.system.terminal import say, show
from brainseg.training.early import refuse_early

FAILED = 4  # exit code of a sweep in which a job has failed, as of predict.py
Returned = list[Sequence[JobReturn]]


@dataclass(frozen=True)
class Planned:
    """A job as it is asked for: its swept pairs, all of its overrides, its config, and its folder."""

    pairs: Pairs
    overrides: list[str]
    cfg: DictConfig
    run: Path

    @property
    def entry(self) -> Entry:
        sha256 = settings_hash(settings_of(self.cfg))
        epochs = int(self.cfg.trainer.max_epochs)
        return Entry(self.pairs, self.run.name, str(self.cfg.task), sha256, epochs=epochs)


def sweep(sweeper: BasicSweeper, arguments: Sequence[str]) -> Returned:
    """Run the jobs of a sweep that are not done, and say how all of them stand.

    Raises:
        ConfigError: A job cannot work, or its folder holds something else; none was started.
        SystemExit: With `FAILED`, if a job has failed, or was stopped by itself.
    """
    config = sweeper.config
    assert config is not None
    check_launching("sweeper", GridSettings, {"max_batch_size": sweeper.max_batch_size})
    overrides = asked_for(sweeper, arguments)
    identity = identity_of(overrides)
    folder = sweep_folder(config, identity)
    set_key(config, "hydra.sweep.dir", str(folder))
    refuse_other_sweep(folder, identity)
    jobs = [composed(sweeper, folder, pairs, overrides_of(overrides, pairs)) for pairs in jobs_of(overrides)]
    retry = jobs[0].cfg.sweep.retry
    waiting = [one for one in jobs if _is_to_run(one, retry)]
    check_all(config, waiting)
    with only_sweep_in(folder):
        OmegaConf.save(config, folder / "multirun.yaml")
        _plan(folder, identity, jobs)
        waiting = [one for one in waiting if _is_to_run(one, retry)]  # another sweep may have run some
        with said_at_the_end(folder):
            returned = launched(sweeper, waiting)
    ledger = refresh(folder)
    if (ledger is not None and ledger.count(State.failed)) or not all_done(returned):
        raise SystemExit(FAILED)
    return returned


def all_done(returned: Returned) -> bool:
    """Whether each job that was begun came to its end."""
    return all(one.status is JobStatus.COMPLETED for batch in returned for one in batch)


def sweep_folder(config: DictConfig, identity: Identity) -> Path:
    """Where a sweep is: where `hydra.sweep.dir` says, but for the time in that of conf/train.yaml.

    The swept keys and a hash stand in the place of the time, so that the same command finds the sweep again.
    """
    raw = str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["dir"])  # type: ignore[index, call-overload]
    if "${now:" not in raw:
        return Path(config.hydra.sweep.dir)
    return Path(config.hydra.sweep.dir).parent / identity.folder_name(str(config.task))


def asked_for(sweeper: Any, arguments: Sequence[str]) -> list[Override]:
    """The overrides of an experiment's sweep, and behind them those of the command."""
    given = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    return parser.parse_overrides([*given, *arguments])


def check_all(config: DictConfig, jobs: Sequence[Planned]) -> None:
    """Refuse values out of bounds, then names and paths, networks that cannot be built and folds to fill.

    Raises:
        ConfigError: The message names the job.
    """
    refuse_bad(jobs, check)
    if config.hydra.launcher._target_.endswith(".BasicLauncher"):
        refuse_bad(jobs, _refuse_several_processes)
    for one in jobs:
        _refuse_other_run(one)
    refuse_bad(jobs, refuse_early)
    if not jobs:
        return
    from brainseg.training.preflight import preflight  # loads torch, so only where it is needed

    refuse_bad(jobs, preflight)


@contextmanager
def said_at_the_end(folder: Path) -> Iterator[None]:
    """Show how a sweep stands and what can be done next, however it ends."""
    try:
        yield
    finally:
        if (ledger := refresh(folder)) is not None:
            show(table(ledger))
            say(*end_lines(folder, ledger))


def composed(sweeper: Any, folder: Path, pairs: Pairs, overrides: Sequence[str], name: str = "") -> Planned:
    """A job with its config, of which Hydra refuses unknown keys and choices. Its folder has its name."""
    cfg = sweeper.hydra_context.config_loader.load_sweep_config(sweeper.config, list(overrides))
    name = name or name_of(pairs)
    given = [f"{key}={quoted(value)}" for key, value in named(cfg, folder, pairs, name).items()]
    return Planned(pairs, [*overrides, *given, f"hydra.sweep.subdir={quoted(name)}"], cfg, folder / name)


def named(cfg: DictConfig, folder: Path, pairs: Pairs, name: str) -> dict[str, str]:
    """The name and the group of a job's run, unless they are what is swept."""
    values = {"name": f"{cfg.name}_{name}", "group": cfg.group or folder.name}
    return {key: value for key, value in values.items() if key not in pairs}


def name_of(pairs: Pairs) -> str:
    """The name of a job's folder."""
    return job_name(pairs) if pairs else "job"


def _is_to_run(planned: Planned, retry: Retry) -> bool:
    if planned.cfg.overwrite:
        return True
    job = read_job(planned.run)
    state = State.waiting if job is None else state_now(planned.run, job)
    if job is not None and not job.anew and (state is not State.failed or retry is Retry.failed):
        _refuse_other_settings(planned, job)
    return state in (State.waiting, State.stopped) or (state is State.failed and retry is Retry.failed)


def _plan(folder: Path, identity: Identity, jobs: Sequence[Planned]) -> None:
    for one in jobs:
        if one.cfg.overwrite:
            begin_anew(one.run)
    plan(folder, identity, arguments_again(), [one.entry for one in jobs])


def launched(sweeper: Any, jobs: Sequence[Planned], first: int = 0) -> Returned:
    """What the launcher returns for the jobs, some at a time; what failed before it could say so is noted."""
    most, returned = sweeper.max_batch_size or len(jobs), []
    for start in range(0, len(jobs), most or 1):
        batch = jobs[start : start + most]
        these = sweeper.launcher.launch([_as_it_goes_on(one) for one in batch], initial_job_idx=first + start)
        for one, result in zip(batch, these, strict=True):
            fault = result._return_value
            if result.status is JobStatus.FAILED and not isinstance(fault, StoppedJobError):
                note_failure(one.run, one.cfg, one_line(fault))
        returned.append(these)
    return returned


def _as_it_goes_on(planned: Planned) -> list[str]:
    """The overrides of a job, with what lets it go on with, or begin anew over, what is in its folder."""
    job, last = read_job(planned.run), planned.run / LAST
    if planned.cfg.overwrite or not last.is_file():
        return planned.overrides
    if job is not None and job.anew:
        return [*planned.overrides, "overwrite=true"]
    return [*planned.overrides, f"resume={quoted(str(last))}"]


def _refuse_other_settings(planned: Planned, job: Job) -> None:
    """Defaults may have changed since a job was trained, or the experiment that it is of."""
    ours = settings_of(planned.cfg)
    differing = [key for key in job.settings if key in ours and job.settings[key] != ours[key]]
    if not differing:
        return
    said = ", ".join(f"{key}={job.settings[key]}, now {ours[key]}" for key in differing[:3])
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    raise ConfigError(
        f"{planned.run} was trained with {said}{more}; give these as they were, begin another sweep by "
        "hydra.sweep.dir=DIR, or train all anew by overwrite=true"
    )


def _refuse_other_run(planned: Planned) -> None:
    """A run that no job.json tells of is none of this sweep's."""
    if not planned.cfg.overwrite and read_job(planned.run) is None and (planned.run / LAST).is_file():
        raise ConfigError(
            f"{planned.run} holds a run that this sweep did not begin; move it away, replace it by "
            "overwrite=true, or give another hydra.sweep.dir"
        )


def _refuse_several_processes(cfg: DictConfig) -> None:
    """Lightning would begin the other processes of a job with the command of the whole sweep."""
    trainer = cfg.trainer
    if str(trainer.strategy).startswith("ddp") and trainer.devices not in (1, "1"):
        raise ConfigError(
            f"trainer.strategy is {trainer.strategy} and trainer.devices {trainer.devices}, but the jobs of "
            "this sweep run one after the other in one process; add hydra/launcher=local_parallel, or set "
            "trainer.devices=1"
        )


def refuse_bad(jobs: Sequence[Planned], checked: Callable[[DictConfig], None]) -> None:
    """Refuse jobs of which one does not pass, before any was started."""
    for one in jobs:
        try:
            checked(one.cfg)
        except UserError as error:
            job = " ".join(f"{key}={value}" for key, value in one.pairs.items())
            raise ConfigError(f"{error} (in the job {job}; none was started)") from error


def set_key(config: DictConfig, key: str, value: Any) -> None:
    """Set a key of Hydra's for the sweep and, as each job is composed again, for its jobs."""
    with read_write(config), open_dict(config):
        OmegaConf.update(config, key, value)
        config.hydra.overrides.hydra.append(f"{key}={quoted(str(value))}")


def arguments_again() -> list[str]:
    """The arguments of this command, without what is meant for this time only."""
    once = ("overwrite=", "sweep.retry=")
    return [one for one in sys.argv[1:] if not one.lstrip("+").startswith(once)]
