"""A cohort shared out to several processes that write into one output.

Which subjects are whose follows from their ids alone. Each process writes the tables and the page from all
results that are there, one process at a time, so the last one to end leaves them whole.
"""

from collections.abc import Sequence
from pathlib import Path

from brainseg.config import PredictConfig
from brainseg.config.arguments import quoted
from brainseg.images.subject import Subject
from brainseg.results.names import RESULT
from brainseg.sweeps.parallel import Command, places, run_all
from brainseg.system.terminal import say

_MODULE = "brainseg.commands.predict_process"


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
        logs: The folder where each shard writes shard_K.log and, what it prints, shard_K.out.
    """
    n = min(options.shards, len(left))
    given = [one for one in command_line if one.split("=")[0] not in ("shards", "shard", "output")]
    shared = [f"shards={n}", f"output={quoted(options.output)}", "forecast=false"]
    of_hydra = [f"hydra.run.dir={quoted(logs)}", "hydra.output_subdir=null"]
    commands = [
        Command(
            _MODULE,
            (*given, *shared, *of_hydra, f"shard={shard}", f"hydra.job.name=shard_{shard}"),
            Path(logs) / f"shard_{shard}.out",
        )
        for shard in range(n)
    ]
    say(f"{len(left)} subjects in {n} processes")
    run_all(
        commands,
        places(n, None),
        begun=lambda _: None,
        ended=lambda shard, code: say(f"shard {shard} ended with exit code {code}"),
    )


def made_since(output: str, subject: Subject, begun: float) -> bool:
    """Whether a subject has got its result since a moment, in seconds since 1970."""
    try:
        return (Path(output) / subject.id / RESULT).stat().st_mtime >= begun
    except OSError:
        return False
