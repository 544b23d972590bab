"""hydra/launcher=slurm: the jobs of a sweep as an array of Slurm's, which submitit submits.

A job's attempt runs the very command that hydra/launcher=local_parallel would begin; see `slurm_task`.
"""

import getpass
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, setup_globals
from omegaconf import DictConfig

from brainseg.config import ConfigError, UserError
from brainseg.sweeps.job import StoppedJobError
from brainseg.sweeps.parallel import PACKAGE
from brainseg.system.terminal import say
from brainseg.training.processes import Job, is_end, job_of, last_line, note_outcome, returned
from brainseg.training.slurm_task import STOPPED, SlurmTask

LOOK_S = 5.0  # between two looks at the queue
SLOW_DISK_S = 15.0  # a network's file system shows a node's file so much later
ID = ".slurm"  # in a job's folder: its number in Slurm
_OF_ALL = ("nodes", "tasks_per_node", "cpus_per_task", "gpus_per_node", "mem_gb", "timeout_min", "name")


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Submit jobs, but those that are in the queue already, and wait for all of them.

    Args:
        launcher: With Hydra's `config` and `hydra_context`, and its `settings`.
        job_overrides: The overrides of each job.
        first: The number of the first job.

    Raises:
        ConfigError: submitit or Slurm is not there, or Slurm refuses the jobs.
    """
    executor = _executor(launcher.settings)
    setup_globals()
    jobs = [job_of(launcher, list(given), first + n) for n, given in enumerate(job_overrides)]
    for job in jobs:
        _refuse_other_processes(job.cfg, launcher.settings)
    queued = _queued() or set()
    numbers = {job.run: number for job in jobs if (number := _number(job.run)) in queued}
    new = [job for job in jobs if job.run not in numbers]
    if new:
        numbers |= _submitted(executor, new)
    say(
        f"{len(new)} of {len(jobs)} jobs submitted: {', '.join(numbers[job.run] for job in new)}; what they "
        "print is in process.log of their folders"
    )
    try:
        faults = _faults(jobs, numbers, Path(launcher.settings["submitit_folder"]))
    except BaseException:
        say(f"the jobs stay in Slurm's queue; they end by: scancel {' '.join(numbers.values())}", error=True)
        raise
    return [returned(job, faults[job.run]) for job in jobs]


def _executor(settings: Mapping[str, Any]) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError(
            "hydra/launcher=slurm needs submitit; install it by: pip install 'brainseg[slurm]'"
        ) from error
    given = {key: value for key, value in settings.items() if value is not None}
    folder, most = given.pop("submitit_folder"), given.pop("max_num_timeout", 0)
    given["srun_args"] = ["--kill-on-bad-exit=1", *_cpus(given), *given.pop("srun_args", [])]
    given.setdefault("stderr_to_stdout", True)
    named = {key if key in _OF_ALL else f"slurm_{key}": value for key, value in given.items()}
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=most)
    except RuntimeError as error:
        raise ConfigError(
            "hydra/launcher=slurm needs Slurm's srun and sbatch, which are not on the PATH here; call this "
            "where jobs are submitted, or add hydra/launcher=local_parallel instead"
        ) from error
    try:
        executor.update_parameters(**named)
    except (ValueError, TypeError, NameError) as error:
        raise ConfigError(f"hydra.launcher: {' '.join(str(error).split())[:300]}") from error
    return executor


def _cpus(settings: Mapping[str, Any]) -> list[str]:
    """Since Slurm 22.05 the processes do not inherit what the job asked for."""
    return [f"--cpus-per-task={settings['cpus_per_task']}"] if "cpus_per_task" in settings else []


def _submitted(executor: Any, jobs: Sequence[Job]) -> dict[Path, str]:
    """Submit jobs, and remember the number that Slurm gave each."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    arguments = [list(job.command.arguments) for job in jobs]
    modules, runs = [job.command.module for job in jobs], [job.run for job in jobs]
    try:
        with _own_code():
            made = executor.map_array(SlurmTask(), modules, arguments, runs)
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
        raise ConfigError(f"hydra/launcher=slurm: {' '.join(str(error).split())[:300]}") from error
    numbers = {run: str(one.job_id) for run, one in zip(runs, made, strict=True)}
    for run, number in numbers.items():
        run.mkdir(parents=True, exist_ok=True)
        (run / ID).write_text(number, encoding="utf-8")
    return numbers


@contextmanager
def _own_code() -> Iterator[None]:
    """What is submitted imports this very code, as the environment is submitted too."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _refuse_other_processes(cfg: DictConfig, settings: Mapping[str, Any]) -> None:
    """Slurm starts the processes of a training, so that both must be told how many there are."""
    trainer, tasks = cfg.get("trainer"), settings.get("tasks_per_node") or 1
    if trainer is None:
        return
    if str(trainer.devices) != str(tasks):
        raise ConfigError(
            f"trainer.devices={trainer.devices} and hydra.launcher.tasks_per_node={tasks} must be equal: "
            "Slurm starts a process for each device"
        )
    if trainer.num_nodes != (settings.get("nodes") or 1):
        raise ConfigError(
            f"trainer.num_nodes={trainer.num_nodes} and hydra.launcher.nodes={settings.get('nodes')} must be "
            "equal"
        )


def _faults(jobs: Sequence[Job], numbers: Mapping[Path, str], folder: Path) -> dict[Path, UserError | None]:
    """Wait for jobs to leave the queue: why each failed, None where it did not."""
    faults: dict[Path, UserError | None] = {}
    while True:
        queued = _queued()
        for job in jobs:
            if job.run not in faults and queued is not None and numbers[job.run] not in queued:
                faults[job.run] = _fault(job, numbers[job.run], folder)
                note_outcome(job, faults[job.run])
        if len(faults) == len(jobs):
            return faults
        time.sleep(LOOK_S)


def _queued() -> set[str] | None:
    """The numbers of this user's jobs that wait or run; None where Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return set(said.stdout.split())


def _number(run: Path) -> str | None:
    with suppress(OSError):
        return (run / ID).read_text(encoding="utf-8").strip()
    return None


def _fault(job: Job, number: str, folder: Path) -> UserError | None:
    from submitit.core.utils import JobPaths

    paths = JobPaths(folder, job_id=number)
    end = time.monotonic() + SLOW_DISK_S
    while (how := SlurmTask.end_of(job.run, number)) is None and time.monotonic() < end:
        time.sleep(1)
    if how is not None and how.isdigit() and is_end(job, int(how)):
        return None
    last = last_line(job.command.log).removeprefix("error: ") or last_line(paths.stdout)
    kind = StoppedJobError if how == STOPPED else UserError
    return kind(f"Slurm's job {number} has ended without a result: {last or f'see {paths.stdout}'}")
