"""The training curves, redrawn while the run goes on."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger

from brainseg.callbacks.warn_once import WarnOnce
from brainseg.reporting.curves import draw_curves


class Curves(pl.Callback):
    """Redraws a picture of all metrics after each validation and at the end, from the run's metrics.csv.

    Args:
        png: The picture. Its best epoch is that of `config.monitor` of the trained module.
    """

    def __init__(self, png: str | Path) -> None:
        self.png = Path(png)
        self._failures = WarnOnce()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._draw(trainer, pl_module)  # Lightning logs the epoch's training metrics after its validation

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        with self._failures.within(self.png.name):
            metrics_csv = _metrics_csv(trainer)
            config: Any = pl_module.config
            mode: Any = str(config.monitor_mode)
            draw_curves(metrics_csv, self.png, monitor=config.monitor, mode=mode)


def _metrics_csv(trainer: pl.Trainer) -> Path:
    for logger in trainer.loggers:
        if isinstance(logger, CSVLogger):
            logger.save()
            return Path(logger.experiment.metrics_file_path)
    raise LookupError("the run has no CSVLogger, whose metrics.csv the curves are drawn from")
