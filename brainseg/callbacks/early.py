"""trainer.early_stopping: a training ends when its monitored metric has long been no better."""

import math
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.utilities import rank_zero_only

from brainseg.system.terminal import say


class Early(EarlyStopping):
    """Lightning's EarlyStopping, counted in epochs, in a run that may be stopped and gone on with.

    A run that it ended does not train another epoch when it goes on, unless more patience is asked for.

    Args:
        epochs: How many without a better value end the run.
        monitor: The metric of the validation.
        mode: min or max.
    """

    def __init__(self, epochs: int, monitor: str, mode: str) -> None:
        # Checked before the best checkpoint is written, so that it knows how long there was none better.
        super().__init__(monitor, mode=mode, check_finite=False, check_on_train_epoch_end=False)
        self.epochs = epochs

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__name__, EarlyStopping.__name__, 1)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self.patience = math.ceil(self.epochs / (trainer.check_val_every_n_epoch or 1))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            _say(
                f"ended after {trainer.current_epoch} epochs: no better {self.monitor} in {self.epochs} of "
                "them (trainer.early_stopping)"
            )


def early_stopping(epochs: int | None, monitor: str, mode: str) -> Early | None:
    """The callback; None without a number of epochs."""
    return None if epochs is None else Early(epochs, monitor, mode)


_say = rank_zero_only(say)  # of several processes one speaks
