"""What single steps of a training show on a dashboard: loss, speed, norm of the gradient, learning rate."""

import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch.nn.utils import get_total_norm

from brainseg.callbacks.loggers import dashboards

LEAST_POINTS = 4  # in an epoch of so many batches or more, however short it is


class Steps(pl.Callback):
    """Logs `step/loss`, `step/samples_per_second`, `step/gradient_norm` and `step/learning_rate`.

    They go to W&B, TensorBoard and MLflow, every `trainer.log_every_n_steps` batches, or more often where an
    epoch has few. The norm is of the gradients of all parameters, before they are clipped. metrics.csv has
    none of them: seconds differ from run to run, and that file is compared.
    """

    def __init__(self) -> None:
        self._shown = self._is_point = False
        self._norm: torch.Tensor | None = None
        self._restart()

    def _restart(self) -> None:
        self._samples, self._began = 0, time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._shown = any(dashboards(trainer))
        self._restart()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restart()  # the seconds of a validation are not of the training

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._is_point = self._shown and (batch_idx + 1) % _batches_between(trainer) == 0
        self._norm = None

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self._is_point:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            self._norm = get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self._shown:
            return
        self._samples += len(batch[0])
        if not self._is_point:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        values = {"step/learning_rate": _learning_rate(trainer)}
        if loss is not None:  # Lightning divides it by the batches of a step
            values["step/loss"] = float(loss) * trainer.accumulate_grad_batches
        if self._norm is not None:
            values["step/gradient_norm"] = float(self._norm)
        # After float() above, which waits for the device.
        seconds = time.monotonic() - self._began
        values["step/samples_per_second"] = self._samples * trainer.world_size / max(seconds, 1e-6)
        for board in dashboards(trainer):
            logger: Any = board
            logger.log_metrics(values, step=trainer.global_step)
        self._restart()


def _batches_between(trainer: pl.Trainer) -> int:
    """Between two points; each point is at the end of an optimizer step."""
    wanted = min(trainer.log_every_n_steps, int(trainer.num_training_batches) // LEAST_POINTS)  # type: ignore[attr-defined]
    step = trainer.accumulate_grad_batches
    return max(1, wanted // step) * step


def _learning_rate(trainer: pl.Trainer) -> float:
    return float(trainer.optimizers[0].param_groups[0]["lr"])
