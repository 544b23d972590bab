"""summary.json: how long a training took, how much memory, and how large the network is."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from brainseg.config.errors import UserError
from brainseg.runs.cases import SCHEMA, SUMMARY, RunSummary, read_summary, write_summary
from brainseg.system.device import peak_memory_mb


class Took(pl.Callback):
    """Writes summary.json after each epoch and at the end; a resumed run goes on counting from the file.

    Args:
        folder: Where the file goes.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._before = 0.0
        self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.monotonic()
        resumed = trainer.ckpt_path is not None
        self._before = _seconds_before(self.folder / SUMMARY) if resumed else 0.0
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer, pl_module, trainer.current_epoch + 1, finished=False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer, pl_module, trainer.current_epoch, finished=True)

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule, epochs: int, *, finished: bool) -> None:
        if not trainer.is_global_zero:
            return
        on_gpu = module.device.type == "cuda"
        network: Any = getattr(module, "net", module)
        summary = RunSummary(
            schema=SCHEMA,
            finished=finished,
            epochs=epochs,
            seconds=round(self._before + time.monotonic() - self._began, 1),
            peak_memory_mb=round(peak_memory_mb(), 1),
            gpu_memory_mb=round(torch.cuda.max_memory_allocated() / 2**20, 1) if on_gpu else None,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
        )
        write_summary(self.folder / SUMMARY, summary)


def _seconds_before(path: Path) -> float:
    try:
        return read_summary(path).seconds
    except (OSError, UserError):  # of a run that began before there was such a file
        return 0.0
