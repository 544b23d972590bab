"""Sweeps of a tiny classifier on phantoms, each in a child that is forked once all is imported."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from ..faults.kills import forked, load_all

LOSSES = "classifier.loss=kl_divergence,categorical_hinge,categorical_crossentropy"
JOB = (
    *("data=phantom", "data.spacing_mm=8", "data.subjects=8", "data.slices_per_subject=3", "data.workers=0"),
    *("classifier.backbone=test_resnet", "classifier.preprocess.size=32", "classifier.epochs=3"),
    *("trainer.accelerator=cpu", "callbacks.panels=null", "callbacks.curves=null", "test=false"),
)


class Sweeps:
    """Runs `python train.py -m` with the settings of JOB in a folder, whose phantoms they share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        load_all()

    def run(
        self, *arguments: str, folder: str = "sweep", kill: tuple[float, int] | None = None
    ) -> tuple[int, str]:
        """The exit code, negative where a signal ended it, and what it printed.

        Args:
            arguments: Beside those of JOB.
            folder: hydra.sweep.dir.
            kill: After so many seconds the child and all it began get this signal.
        """
        given = [*JOB, *arguments, f"hydra.sweep.dir={folder}", f"paths.data={self.root / 'data'}"]
        log = self.root / "log"
        log.unlink(missing_ok=True)
        child = forked(["train.py", "-m", *given], self.root)
        timer = threading.Timer(*kill[:1], os.kill, (child, kill[1])) if kill else None
        if timer:
            timer.start()
        _, status = os.waitpid(child, 0)
        if timer:
            timer.cancel()
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


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
