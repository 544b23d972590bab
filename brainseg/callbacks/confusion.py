"""The confusion matrix of the test split."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger

from brainseg.callbacks.once import WarnOnce
from brainseg.reporting.confusion import draw_confusion


class ConfusionMatrix(pl.Callback):
    """Draws `module.test_confusion`, a torchmetrics confusion matrix, after testing. Other modules have none.

    Args:
        png: The picture; W&B gets it too if it is among the loggers.
    """

    def __init__(self, png: str | Path) -> None:
        self.png = Path(png)
        self._failures = WarnOnce()

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        confusion = getattr(pl_module, "test_confusion", None)
        if confusion is None:
            return
        matrix = confusion.compute().cpu().numpy()  # on every rank: it gathers the counts of all
        if not trainer.is_global_zero:
            return
        with self._failures.within(self.png.name):
            config: Any = pl_module.config
            draw_confusion(matrix, list(config.classes), self.png)
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image("test/confusion", [str(self.png)])
