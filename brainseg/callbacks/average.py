"""An exponential mean of the weights."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging


class WeightAverage(EMAWeightAveraging):
    """Lightning's exponential mean of the weights, which is validated and kept in their place.

    A checkpoint holds the mean and, to go on from, the weights themselves, also one that is written while the
    two have changed places for a validation.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(decay=decay)
        self._exchanged = False

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._swap_models(pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._exchanged:
            mean, weights = checkpoint["current_model_state"], checkpoint["state_dict"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = mean, weights

    def _swap_models(self, pl_module: pl.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._exchanged = not self._exchanged


def weight_average(decay: float | None) -> WeightAverage | None:
    """The callback; None without a decay."""
    return None if decay is None else WeightAverage(decay)
