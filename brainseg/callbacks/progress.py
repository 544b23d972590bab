"""Progress that shows what matters: epoch, speed, training loss, the monitored metric and its best."""

import math
import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import TQDMProgressBar

from brainseg.system.terminal import say


class Progress(TQDMProgressBar):
    """A bar in a terminal; one plain line for each epoch in a log file.

    The metric is `config.monitor` of the trained module, its best by `config.monitor_mode`; a resumed run
    remembers its best. Epochs count from 0, as in metrics.csv and in W&B.

    Args:
        refresh_rate: Batches between two updates of the bar.
    """

    BAR_FORMAT = "{desc}|{bar:24}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self.best: float | None = None
        self.best_epoch: int | None = None
        self._latest: float | None = None
        self._loss_sum: torch.Tensor | float = 0.0
        self._batches = 0
        self._epoch_began = self._train_seconds = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if not sys.stdout.isatty():
            self.disable()  # the bars; the lines below are printed all the same

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._epoch_began = time.monotonic()  # a run that goes on within an epoch sees no start of one

    def on_train_epoch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        super().on_train_epoch_start(trainer, *args)
        self.train_progress_bar.set_description(_epoch(trainer))
        self._loss_sum, self._batches, self._latest = 0.0, 0, None
        self._epoch_began = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is not None:
            self._loss_sum = self._loss_sum + loss.detach().float()  # no .item(): it would wait for the GPU
            self._batches += 1
        self._train_seconds = time.monotonic() - self._epoch_began
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._note(trainer, pl_module)
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self.is_disabled and trainer.is_global_zero:
            seconds = time.monotonic() - self._epoch_began
            speed = f"{self._batches / max(self._train_seconds, 1e-6):.3g} it/s"
            shown = [f"{name} {value}" for name, value in self.get_metrics(trainer, pl_module).items()]
            say("  ".join([_epoch(trainer), *shown, f"{seconds:.1f} s, {speed}"]))

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict]:
        """Mean training loss of the epoch so far, the monitored metric once validated, and its best."""
        shown: dict[str, int | str | float | dict] = {}
        if self._batches:
            shown["loss"] = f"{float(self._loss_sum) / self._batches:.4f}"
        if self._latest is not None:
            shown[_config(pl_module).monitor] = f"{self._latest:.4f}"
        if self.best is not None:
            shown["best"] = f"{self.best:.4f} (epoch {self.best_epoch})"
        return shown

    def _note(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        config = _config(pl_module)
        value = trainer.callback_metrics.get(config.monitor)
        if value is None or not math.isfinite(value):
            return
        self._latest = float(value)
        sign = -1 if str(config.monitor_mode) == "min" else 1
        if self.best is None or sign * self._latest > sign * self.best:
            self.best, self.best_epoch = self._latest, trainer.current_epoch

    def state_dict(self) -> dict[str, Any]:
        so_far = {"loss_sum": float(self._loss_sum), "batches": self._batches}
        return {"best": self.best, "best_epoch": self.best_epoch, **so_far}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_epoch = state_dict["best"], state_dict["best_epoch"]
        self._loss_sum, self._batches = state_dict.get("loss_sum", 0.0), state_dict.get("batches", 0)


def _config(module: pl.LightningModule) -> Any:
    """The task's section of the config. Lightning's type knows only tensors and modules as attributes."""
    return module.config


def _epoch(trainer: pl.Trainer) -> str:
    last = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs - 1}"
    return f"epoch {trainer.current_epoch}{last}"
