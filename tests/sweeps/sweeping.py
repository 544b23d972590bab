"""Sweeps of a tiny classifier on phantoms, each in a child that is forked once all is imported."""

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..faults.kills import forked, load_all

LOSSES = "classifier.loss=kl_divergence,categorical_hinge,categorical_crossentropy"
JOB = (
    *("data=phantom", "data.spacing_mm=8", "data.subjects=8", "data.slices_per_subject=3", "data.workers=0"),
    *("classifier.backbone=test_resnet", "classifier.preprocess.size=32", "classifier.epochs=3"),
    *("trainer.accelerator=cpu", "callbacks.panels=null", "callbacks.curves=null", "test=false"),
)

Condition = Callable[[], bool]


class Sweeps:
    """Runs `python train.py -m` with the settings of JOB in a folder, whose phantoms they share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        load_all()

    def run(
        self,
        *arguments: str,
        folder: str = "sweep",
        kill: tuple[float | Callable[[], bool], int] | None = None,
    ) -> tuple[int, str]:
        """The exit code, negative where a signal ended it, and what it printed.

        Args:
            arguments: Beside those of JOB.
            folder: hydra.sweep.dir.
            kill: After so many seconds, or once this is so, the child gets this signal.
        """
        given = [*JOB, *arguments, f"hydra.sweep.dir={folder}", f"paths.data={self.root / 'data'}"]
        log = self.root / "log"
        log.unlink(missing_ok=True)
        child = forked(["train.py", "-m", *given], self.root)
        if kill:
            threading.Thread(target=_kill, args=(child, *kill), daemon=True).start()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), log.read_text()

    def table(self, folder: str = "sweep") -> dict[str, Any]:
        """The ledger without times, and every row of each job's metrics.csv, by the job's folder."""
        ledger = json.loads((self.root / folder / "sweep.json").read_text())
        return {
            job["folder"]: (
                {
                    name: value
                    for name, value in job.items()
                    if name not in ("seconds", "attempts", "updated")
                },
                _read(self.root / folder / job["folder"] / "metrics.csv"),
            )
            for job in ledger["jobs"]
        }

    def states(self, folder: str = "sweep") -> list[str]:
        ledger = json.loads((self.root / folder / "sweep.json").read_text())
        return [job["state"] for job in ledger["jobs"]]


def _kill(child: int, when: float | Condition, number: int) -> None:
    end = time.monotonic() + (when if isinstance(when, float) else 120)
    while time.monotonic() < end and not (callable(when) and when()):
        time.sleep(0.02)
    with suppress(ProcessLookupError):  # it may have ended before
        os.kill(child, number)


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
