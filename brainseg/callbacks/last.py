"""last.ckpt: what a run goes on from, whenever and however it was stopped."""

import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from brainseg.callbacks.metrics_csv import MetricsCSV
from brainseg.runs.config import LAST
from brainseg.runs.position import Position, position_in, settle
from brainseg.system.signals import Stopped, heed, note_no_longer, note_only

log = logging.getLogger("brainseg")
_Stop = Stopped | SIGTERMException
ROWS = "metrics_rows"  # in a checkpoint: how many rows metrics.csv had


class Last(pl.Callback):
    """Writes last.ckpt after each epoch, every few minutes between two batches, and when the run is stopped.

    A stop signal waits for the batch, or the scan of a validation, to end. It must be the first of the
    callbacks: a checkpoint is of the moment before the others log anything of the next epoch or batch.

    Args:
        folder: Where last.ckpt is, beside the best one.
        every_minutes: At least so long lies between two checkpoints within an epoch; None: only after epochs.
    """

    def __init__(self, folder: str | Path, every_minutes: float | None) -> None:
        self.path = Path(folder) / LAST.name
        self.every_minutes = every_minutes
        self._written: Position | None = None
        self._written_at = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._written, self._written_at = _position(trainer), time.monotonic()
        note_only(several=trainer.world_size > 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._save(trainer)
        _heed(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0 or batch_idx % trainer.accumulate_grad_batches:
            return  # the epoch's start was just seen to; gradients that wait for more are in no checkpoint
        if self._is_due():
            self._save_alone(trainer)
        _heed(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if _is_training(trainer) and _is_cut_short(trainer):  # by trainer.max_time
            self._save_alone(trainer)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        if _is_training(trainer):
            _heed(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not _is_cut_short(trainer):
            self._save(trainer)
        _heed(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        note_no_longer()
        heed()  # in the last batch of a test

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        note_no_longer()
        if trainer.state.fn != "fit" or not isinstance(exception, _Stop | KeyboardInterrupt):
            return
        if isinstance(exception, _Stop) and self._written is not None and not _is_accumulating(trainer):
            self._save_alone(trainer)  # it was raised between two batches
        if trainer.is_global_zero:
            log.warning("%s", self._where(trainer))

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Make any checkpoint of a training, the best one too, one that can be gone on from."""
        settle(
            checkpoint["loops"],
            batches_of_epoch=trainer.num_training_batches,
            validating=trainer.validating,
        )
        checkpoint[ROWS] = max((logger.write_out() for logger in _tables(trainer)), default=0)
        # Time that was used up counts for trainer.max_time no more.
        timers = [key for key in checkpoint["callbacks"] if key.startswith("Timer")]
        for key in timers:
            del checkpoint["callbacks"][key]

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == "fit" and ROWS in checkpoint:
            for logger in _tables(trainer):
                logger.keep(checkpoint[ROWS])

    def _is_due(self) -> bool:
        minutes = (time.monotonic() - self._written_at) / 60
        return self.every_minutes is not None and minutes >= self.every_minutes

    def _save(self, trainer: pl.Trainer) -> None:
        """With all processes, where the run has gone on since the last time."""
        position = _position(trainer)
        if position != self._written:
            trainer.save_checkpoint(self.path)
            self._written, self._written_at = position, time.monotonic()

    def _save_alone(self, trainer: pl.Trainer) -> None:
        """In the first process, which knows all that is to be known unless each holds a part of the model."""
        self._written_at = time.monotonic()
        position = _position(trainer)
        whole = trainer.world_size == 1 or isinstance(trainer.strategy, DDPStrategy)
        if position == self._written or not whole or not trainer.is_global_zero:
            return
        content = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        trainer.strategy.save_checkpoint(content, self.path)
        self._written = position

    def _where(self, trainer: pl.Trainer) -> str:
        if not self.path.is_file():
            return "stopped before the first checkpoint; there is nothing to go on from"
        return f"stopped in epoch {trainer.current_epoch} after {trainer.global_step} steps"


def last_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Where a trainer keeps, or would keep, its last.ckpt."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((one.path for one in callbacks if isinstance(one, Last)), None)


def _is_training(trainer: pl.Trainer) -> bool:
    return trainer.state.fn == "fit" and not trainer.sanity_checking


def _heed(trainer: pl.Trainer) -> None:
    """Stop here if a signal has come, to us or, where no command of ours is run, to Lightning."""
    heed()
    if trainer.received_sigterm:
        raise SIGTERMException


def _position(trainer: pl.Trainer) -> Position:
    return position_in({"fit_loop": trainer.fit_loop.state_dict()})


def _is_cut_short(trainer: pl.Trainer) -> bool:
    """Whether the epoch ends, or has ended, before its last batch."""
    done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    return done < trainer.num_training_batches


def _is_accumulating(trainer: pl.Trainer) -> bool:
    """Whether there are gradients that wait for those of more batches."""
    done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    return done % trainer.accumulate_grad_batches != 0 and done < trainer.num_training_batches


def _tables(trainer: pl.Trainer) -> list[MetricsCSV]:
    return [logger for logger in trainer.loggers if isinstance(logger, MetricsCSV)]
