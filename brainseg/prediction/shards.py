"""A cohort shared out to several processes that write into one output.

Which subjects are whose follows from their ids alone. Each process writes the tables and the page from all
results that are there, one process at a time, so the last one to end leaves them whole.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from brainseg.config import PredictConfig
from brainseg.config.arguments import quoted
from brainseg.images.subject import Subject
from brainseg.results.names import RESULT
from brainseg.system.device import threads
from brainseg.system.terminal import console, say

_POLL_S = 0.5


def predict_shards(
    options: PredictConfig, command_line: Sequence[str], left: Sequence[Subject], logs: str
) -> None:
    """Run each shard as a process with its share of the cores, and wait for all.

    A subject of a shard that was killed has no result afterwards; the caller predicts it. When this process
    is stopped, all are.

    Args:
        options: The cohort, and the output that all share.
        command_line: Of this command: key=value each.
        left: The subjects that have no result yet.
        logs: The folder where each shard writes shard_K.log.
    """
    n = min(options.shards, len(left))
    cores = max(1, threads() // n)
    say(f"{len(left)} subjects in {n} processes with {cores} core{'s' * (cores > 1)} each")
    environment = dict(os.environ) | {name: str(cores) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    given = [one for one in command_line if one.split("=")[0] not in ("shards", "shard", "output")]
    shared = [f"shards={n}", f"output={quoted(options.output)}", "forecast=false"]
    of_hydra = [f"hydra.run.dir={quoted(logs)}", "hydra.output_subdir=null"]
    command = [sys.executable, "-m", "brainseg", "predict", *given, *shared, *of_hydra]
    begun = time.time()
    with _ended_with_us() as processes, Progress(console=console(), transient=True) as progress:
        for shard in range(n):
            own = [f"shard={shard}", f"hydra.job.name=shard_{shard}"]
            run = subprocess.Popen([*command, *own], env=environment, stdout=subprocess.DEVNULL)
            processes.append(run)
        task = progress.add_task("predicting", total=len(left))
        while any(one.poll() is None for one in processes):
            progress.update(task, completed=sum(made_since(options.output, one, begun) for one in left))
            time.sleep(_POLL_S)


def made_since(output: str, subject: Subject, begun: float) -> bool:
    """Whether a subject has got its result since a moment, in seconds since 1970."""
    try:
        return (Path(output) / subject.id / RESULT).stat().st_mtime >= begun
    except OSError:
        return False


@contextmanager
def _ended_with_us() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    try:
        yield processes
    finally:
        for one in processes:
            one.terminate()  # nothing where it has ended
        for one in processes:
            one.wait()
