"""How a run ends that is stopped from outside: with its state saved and a word on how to go on."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from brainseg.signals import heed

log = logging.getLogger("brainseg")


class Interruption(pl.Callback):
    """On Ctrl+C or SIGTERM: saves last.ckpt beside the best checkpoint and says how to resume.

    A run of several processes is not saved at that moment: they need not have stopped at the same step, and
    would wait for each other for ever. Its last.ckpt is that of the last validation.
    """

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        heed()  # a signal within the last batch, after which Lightning looks for none

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if not isinstance(exception, KeyboardInterrupt | SIGTERMException) or trainer.state.fn != "fit":
            return
        last = last_checkpoint(trainer)
        if last is None:
            log.warning("stopped; the run keeps no checkpoints, so there is nothing to resume from")
            return
        if trainer.world_size == 1 and trainer.global_step > 0 and not trainer.sanity_checking:
            trainer.save_checkpoint(last)
        if not trainer.is_global_zero:
            return
        if last.is_file():
            log.warning(
                "stopped in epoch %d after %d steps; go on with the same command and resume=%s",
                trainer.current_epoch,
                trainer.global_step,
                last,
            )
        else:
            log.warning("stopped before the first checkpoint; there is nothing to resume from")


def last_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Where ModelCheckpoint keeps, or would keep, its last.ckpt."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is not None:
            written = callback.last_model_path
            return Path(written or Path(callback.dirpath) / f"{callback.CHECKPOINT_NAME_LAST}.ckpt")
    return None
