"""The best epoch so far, with all its scores, for tables of runs."""

import math
from typing import Any

import pytorch_lightning as pl

from brainseg.callbacks.loggers import dashboards


class BestEpoch(pl.Callback):
    """Tells dashboards the best epoch by `config.monitor`: `best/epoch`, and `best/val/...` for each score.

    It is the epoch of best.ckpt, the first of equals. A resumed run remembers it.
    """

    def __init__(self) -> None:
        self.best: float | None = None
        self.values: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        config: Any = pl_module.config
        for board in dashboards(trainer):
            board.watch_best(config.monitor, str(config.monitor_mode))
            board.summarise(self.values)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        config: Any = pl_module.config
        value = trainer.callback_metrics.get(config.monitor)
        if (
            value is None
            or not math.isfinite(value)
            or not self._is_better(float(value), config.monitor_mode)
        ):
            return
        self.best = float(value)
        scores = {name: float(score) for name, score in trainer.callback_metrics.items()}
        own = {f"best/{name}": score for name, score in scores.items() if name.startswith("val/")}
        self.values = {"best/epoch": trainer.current_epoch, **own}
        for board in dashboards(trainer):
            board.summarise(self.values)

    def _is_better(self, value: float, mode: Any) -> bool:
        sign = -1 if str(mode) == "min" else 1
        return self.best is None or sign * value > sign * self.best

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "values": dict(self.values)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.values = state_dict["best"], dict(state_dict["values"])
