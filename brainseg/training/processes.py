"""hydra/launcher=local_parallel: each job of a sweep is a command of its own, begun beside others."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from omegaconf import DictConfig, open_dict

from brainseg.config import UserError
from brainseg.config.arguments import quoted
from brainseg.sweeps.job import StoppedJobError, note_failure, one_line, read_job
from brainseg.sweeps.ledger import is_job, refresh
from brainseg.sweeps.parallel import Command, places, run_all
from brainseg.system.terminal import say
from brainseg.system.verdicts import VERDICTS, verdicts

LOG = "process.log"  # in a job's folder: all that it printed
_MODULES = {"train": "brainseg.commands.train_process", "predict": "brainseg.commands.predict_process"}
_KINDS = ("launcher", "sweeper")
_OF_THE_SWEEP = ("hydra.sweep.", "hydra.mode", *(f"hydra{at}{kind}" for kind in _KINDS for at in "/."))
_LINE = 300  # characters of a log's last line that are shown


@dataclass(frozen=True)
class Job:
    run: Path
    cfg: DictConfig
    overrides: list[str]
    command: Command


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run jobs in processes of their own, so many at once as the launcher's settings say.

    Args:
        launcher: With Hydra's `config` and `hydra_context`, and its own `n_jobs` and `devices`.
        job_overrides: The overrides of each job.
        first: The number of the first job.

    Raises:
        ConfigError: The settings ask for a GPU that is not there.
    """
    setup_globals()
    jobs = [job_of(launcher, list(given), first + n) for n, given in enumerate(job_overrides)]
    at = places(launcher.n_jobs, launcher.devices)
    say(f"{len(jobs)} jobs, {min(len(at), len(jobs))} at once; what they print is in {LOG} of their folders")

    def begun(number: int) -> None:
        say(f"{jobs[number].run.name}: begun")

    faults: dict[int, UserError | None] = {}

    def ended(number: int, code: int) -> None:
        job = jobs[number]
        faults[number] = None if is_end(job, code) else _fault(job, code)
        note_outcome(job, faults[number])

    run_all([job.command for job in jobs], at, begun, ended)
    return [returned(job, faults[number]) for number, job in enumerate(jobs)]


def note_outcome(job: Job, fault: UserError | None) -> None:
    """Say how a job has ended, and note a fault for one that could not note it itself."""
    if fault is None:
        say(f"{job.run.name}: done")
        return
    if is_job(job.run) and not isinstance(fault, StoppedJobError):
        note_failure(job.run, job.cfg, one_line(fault))
        refresh(job.run.parent)
    say(f"{job.run.name}: {fault}", error=True)


def job_of(launcher: Any, overrides: list[str], number: int) -> Job:
    """A job as a process of its own would run it: its folder, config and command."""
    cfg = launcher.hydra_context.config_loader.load_sweep_config(launcher.config, overrides)
    with open_dict(cfg):
        cfg.hydra.job.id = cfg.hydra.job.num = number
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(cfg)  # in which the name of the folder looks up the job's number
    try:
        run = Path(os.path.abspath(cfg.hydra.sweep.dir)) / str(cfg.hydra.sweep.subdir)
    finally:
        HydraConfig.instance().cfg = before
    given = [*map(str, launcher.config.hydra.overrides.hydra), *overrides]
    own = [one for one in given if not one.lstrip("+").startswith(_OF_THE_SWEEP)]
    arguments = (*_config_dirs(launcher.config), *own, f"hydra.run.dir={quoted(str(run))}")
    return Job(run, cfg, overrides, Command(_MODULES[cfg.hydra.job.config_name], arguments, run / LOG))


def _config_dirs(config: DictConfig) -> list[str]:
    """--config-dir of the sweep's command, which is no override."""
    sources = config.hydra.runtime.config_sources
    return [word for one in sources if one.provider == "command-line" for word in ("--config-dir", one.path)]


def returned(job: Job, fault: UserError | None) -> JobReturn:
    """What a launcher returns for a job: why it failed, or its value."""
    result = JobReturn(overrides=job.overrides, cfg=job.cfg, working_dir=os.getcwd())
    result.status = JobStatus.FAILED if fault else JobStatus.COMPLETED
    result.return_value = fault or _value(job.run)
    return result


def is_end(job: Job, code: int) -> bool:
    """Whether a job with this exit code has come to its end; a prediction's says what it has found."""
    is_prediction = job.command.module == _MODULES["predict"]
    if is_prediction and code in VERDICTS:
        verdicts.append(code)
        return True
    return code == 0


def _value(run: Path) -> float | None:
    job = read_job(run)
    return None if job is None or job.metric.value is None else job.metric.value


def _fault(job: Job, code: int) -> UserError:
    """Why a process ended: the signal that killed it, or the last line that it printed."""
    if code < 0:
        name = signal.Signals(-code).name
        memory = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return UserError(f"ended by {name}{memory}; see {job.command.log}")
    last = last_line(job.command.log).removeprefix("error: ")
    return UserError(f"exit code {code}: {last or f'see {job.command.log}'}")


def last_line(log: Path) -> str:
    """The last line of what a job printed; nothing where there is none."""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.strip()[:_LINE] for line in reversed(lines) if line.strip()), "")
    return ""
