"""What a training of several processes does when it is stopped, or when one of them is gone."""

import logging
import signal
import subprocess
from contextlib import suppress
from typing import Any

import pytorch_lightning as pl

from brainseg.callbacks.last import last_checkpoint
from brainseg.system.signals import asked_to_stop, take_over

log = logging.getLogger("brainseg")


class SeveralProcesses(pl.Callback):
    """Ends all processes together, and names the one that ended before the others failed."""

    def on_validation_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._take_over(trainer)

    def on_test_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._take_over(trainer)

    def _take_over(self, trainer: pl.Trainer) -> None:
        if trainer.world_size > 1:
            take_over(several=True)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if asked_to_stop():
            return
        begun = getattr(trainer.strategy.launcher, "procs", [])  # by this process, which is the first
        for rank, process in enumerate(begun, start=1):
            if code := _exit_code(process):
                how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
                log.error("process %d of %d ended first, %s%s", rank, trainer.world_size, how, _mend(trainer))


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=1)  # its connection breaks before it is gone
    return None


def _mend(trainer: pl.Trainer) -> str:
    last = last_checkpoint(trainer)
    there = trainer.state.fn == "fit" and last is not None and last.is_file()
    return f"; go on with python train.py resume={last}" if there else ""
