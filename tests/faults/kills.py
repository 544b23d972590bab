"""Trainings of a tiny segmenter that are killed, gone on with, and compared with one that never was.

Each runs as `python train.py` does, in a child that is forked once everything is imported. A kill is SIGKILL,
at the n-th change of a file of the run (opened to write, flushed, moved, removed, a folder made) or after a
time.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# Six training scans of which each gives two patches: six batches of two in an epoch.
RUN = (
    "model=segmenter",
    "data.val_share=0.25",
    "data.test_share=0",
    "data.workers=0",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "segmenter.net=unet",
    "segmenter.channels=[4,8]",
    "segmenter.preprocess.spacing_mm=[8,8,8]",
    "segmenter.patch=[16,16,16]",
    "segmenter.epochs=3",
    "segmenter.dropout=0.2",
)
PHANTOMS = ("data=phantom", "data.spacing_mm=8", "data.subjects=8")
WAYS = ("the same command and resume=last.ckpt", "resume=RUN")
CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.fsync")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def ending(run: Path) -> dict[str, Any]:
    """All that a run leaves: both checkpoints without what names its folder, and its table."""
    checkpoints = {name: _lasting(run / "checkpoints" / name) for name in ("best.ckpt", "last.ckpt")}
    return {**checkpoints, "metrics.csv": (run / "metrics.csv").read_text()}


def _lasting(path: Path) -> dict[str, Any]:
    stored = torch.load(path, weights_only=True)
    best = next(v for k, v in stored["callbacks"].items() if k.startswith("ModelCheckpoint"))
    progress = next(v for k, v in stored["callbacks"].items() if k.startswith("Progress"))
    return {
        "weights": dict(stored["state_dict"]),
        "raw weights": dict(stored.get("current_model_state", {})),
        "optimizer": stored["optimizer_states"],
        "schedule": stored["lr_schedulers"],
        "best": float(best["best_model_score"]),
        "progress": progress,
        "fitted": stored["brainseg"]["fitted"],
        "train_loss": stored["brainseg"]["train_loss"],
        "step": (stored["epoch"], stored["global_step"], stored["metrics_rows"]),
    }


def differing(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two nested values differ by as much as a bit."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differing(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple) and len(one) == len(other):
        for n, pair in enumerate(zip(one, other, strict=True)):
            yield from differing(*pair, f"{where}/{n}")
    elif not (torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other):
        yield where if isinstance(one, torch.Tensor) else f"{where}: {one!r} and {other!r}"


@dataclass(frozen=True)
class Kill:
    """When a training is killed: before a change of its files, from 1, or after some seconds."""

    change: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Killed:
    """What came of a training that was killed and gone on with."""

    was_killed: bool  # it may have been too late
    code: int  # of the one that went on
    differences: Sequence[str]
    left_over: Sequence[str]  # temporary files after all


class Trainings:
    """Trainings below a folder, with some settings; the first one is never stopped.

    Args:
        root: A new folder.
        settings: Beside RUN.
    """

    def __init__(self, root: Path, *settings: str) -> None:
        self.root, self.settings = root, settings
        root.mkdir(parents=True, exist_ok=True)
        load_all()
        began = time.monotonic()
        code = self.run(root / "straight")
        self.seconds = time.monotonic() - began
        if code:
            raise RuntimeError(f"the training that is not stopped ended with {code}: see {root / 'log'}")
        self.expected = ending(root / "straight")
        self.changes = len((root / "straight" / "changes").read_text().splitlines())

    def killed(self, name: str, kill: Kill, way: str) -> Killed:
        """Kill one, go on with it, and compare."""
        run = self.root / name
        was_killed = self.run(run, kill) == -signal.SIGKILL
        last = run / "checkpoints" / "last.ckpt"
        if not last.is_file():
            code = self.run(run)
        elif way == WAYS[0]:
            code = self.run(run, more=[f"resume={last}"])
        else:
            code = self._forked(["train.py", f"resume={run}"], run, Kill())
        left = [path.name for path in run.rglob(".*") if path.name != ".hydra"]
        found = list(differing(self.expected, ending(run))) if code == 0 else [f"exit code {code}"]
        return Killed(was_killed, code, found, left)

    def run(self, run: Path, kill: Kill | None = None, more: Sequence[str] = ()) -> int:
        """Train into a folder; the exit code, negative where a signal ended it."""
        data = f"paths.data={self.root / 'data'}"
        given = [*RUN, *PHANTOMS, data, "test=false", f"hydra.run.dir={run}", *self.settings, *more]
        return self._forked(["train.py", *given], run, kill or Kill())

    def _forked(self, command: list[str], run: Path, kill: Kill) -> int:
        changes: list[str] = []

        def begin() -> None:
            print(f"\n==== {run.name}, {kill}: {' '.join(command)}", flush=True)
            os.setpgid(0, 0)
            _watch(run, kill, changes)

        def end() -> None:
            (run / "changes").write_text("\n".join(changes))

        _, status = os.waitpid(forked(command, self.root, begin, end), 0)
        return os.waitstatus_to_exitcode(status)


def load_all() -> None:
    """Import all that a training does, so that no child has to."""
    import brainseg.commands.main
    import brainseg.training.preflight
    import brainseg.training.train  # noqa: F401


def forked(
    command: list[str],
    folder: Path,
    begin: Callable[[], None] | None = None,
    end: Callable[[], None] | None = None,
) -> int:
    """The number of a child that runs `train.py` in a folder, and adds what it prints to the log there.

    Args:
        command: train.py and its arguments.
        folder: Where it runs.
        begin: What the child does first.
        end: What it does last, unless the training failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = (open(n, "w", buffering=1, closefd=False) for n in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)  # a child has none of its parent's threads, and would wait for them for ever
        if begin:
            begin()
        sys.argv = command
        from brainseg.system.process import command as guarded

        with guarded():
            from brainseg.commands.main import train_main

            train_main()
        if end:
            end()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(run: Path, kill: Kill, changes: list[str]) -> None:
    """Collect the changes of a run's files by its main process; it is killed when it is time."""
    main = os.getpid()
    flush = os.fsync

    def fsync(handle: int) -> None:
        sys.audit("os.fsync", os.readlink(f"/proc/self/fd/{handle}"))
        flush(handle)

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or os.getpid() != main or not str(arguments[0]).startswith(str(run)):
            return
        if event == "open" and not arguments[2] & _WRITING:
            return
        changes.append(f"{event} {arguments[0]}")
        if len(changes) == kill.change:
            os.killpg(0, signal.SIGKILL)

    os.fsync = fsync
    sys.addaudithook(count)
    if kill.seconds is not None:
        timer = threading.Timer(kill.seconds, os.killpg, (0, signal.SIGKILL))
        timer.daemon = True
        timer.start()


def summary(results: Mapping[str, Sequence[Killed]]) -> Iterator[str]:
    """A line for each kind of kill: how many ended in every bit as if never stopped."""
    for name, several in results.items():
        exact = sum(not one.differences for one in several)
        killed = sum(one.was_killed for one in several)
        left = sum(bool(one.left_over) for one in several)
        yield (
            f"{name}: {exact} of {len(several)} ended bit for bit as if never stopped "
            f"({killed} were killed before their end, {left} left temporary files)"
        )
