"""What an attempt of a job runs within Slurm, and who decides there what a signal means.

`stoppable` hears all signals: the training ends its batch and writes last.ckpt. After SIGUSR1 or SIGUSR2,
which announce the end of the job's time, submitit then queues the job again, and counts how often. After
SIGTERM nothing is done: Slurm sends it for a requeue or a preemption, after which it begins the job again
itself, or for scancel, after which nobody does.
Lightning's own signal handlers do nothing, see `brainseg.system.signals.take_over`.
"""

import logging
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from brainseg.config.arguments import quoted
from brainseg.runs.config import LAST
from brainseg.sweeps.job import read_job
from brainseg.system.signals import OF_SLURM, before_leaving, is_first_process
from brainseg.system.terminal import say
from brainseg.system.verdicts import VERDICTS
from brainseg.training.processes import LOG

STOPPED = "stopped"
_ENDED = ".slurm_ended"  # in a job's folder: which of Slurm's jobs has come to its end there


class SlurmTask:
    """The function that submitit calls in each process of a job."""

    def __call__(self, module: str, arguments: Sequence[str], run: Path) -> None:
        """Run a module with arguments; a later attempt goes on with the run in its folder."""
        _print_into(run / LOG)
        sys.argv = [module, *arguments_now(run, arguments)]
        if is_first_process():
            before_leaving(_requeuing(run))
        else:
            sys.argv.append("hydra.output_subdir=null")
        code = 0
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            if end.code not in VERDICTS:
                raise
            code = end.code
        if is_first_process():
            (run / _ENDED).write_text(f"{_number()} {code}", encoding="utf-8")

    def checkpoint(self, *arguments: Any) -> Any:
        """The next attempt, as submitit wants it: the same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)

    @staticmethod
    def end_of(run: Path, number: str) -> str | None:
        """How one of Slurm's jobs has ended in a folder: its exit code, or STOPPED by a signal; else None."""
        with suppress(OSError):
            ended, _, how = (run / _ENDED).read_text(encoding="utf-8").partition(" ")
            return how if ended == number else None
        return None


def arguments_now(run: Path, arguments: Sequence[str]) -> list[str]:
    """The arguments of a job, with what lets it go on where an attempt has left a checkpoint."""
    job = read_job(run)
    if job is None or job.anew or not (run / LAST).is_file():
        return list(arguments)
    kept = [one for one in arguments if not one.lstrip("+").startswith(("resume=", "overwrite="))]
    return [*kept, f"resume={quoted(str(run / LAST))}"]


def _print_into(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    quiet = logging.getLogger("submitit")  # what it says of itself is nothing to act on
    quiet.setLevel(logging.ERROR)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _requeuing(run: Path) -> Callable[[int], None]:
    """What is done last after a signal: submitit, whose handler is still in place, queues the job again."""
    from submitit import JobEnvironment

    queue_again: Any = signal.getsignal(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"))

    def act(number: int) -> None:
        (run / _ENDED).write_text(f"{_number()} {STOPPED}", encoding="utf-8")
        if number not in OF_SLURM:
            return
        try:
            queue_again(number, None)
        except SystemExit:
            say("queued again; the next attempt goes on", error=True)
        except Exception as error:  # too often already, or Slurm refuses
            said = " ".join(str(error).split())
            say(f"{said} The same command goes on; see hydra.launcher.max_num_timeout", error=True)

    return act


def _number() -> str:
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
