"""Ends the trial of a search early that falls behind the others, as its study's pruner says."""

import logging
import math
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from brainseg.config import ConfigError

log = logging.getLogger("brainseg")


class Pruning(pl.Callback):
    """Reports the monitored metric of each validation to a study, whose pruner may end the training.

    Args:
        storage: The data base of the study, as a URL.
        study: The study's name in it.
        trial: The number of the trial that is trained.
        monitor: The metric.

    Attributes:
        pruned: Whether the training was ended.
    """

    def __init__(self, storage: str, study: str, trial: int, monitor: str) -> None:
        self.storage, self.study, self.number, self.monitor = storage, study, trial, monitor
        self.pruned = False
        self._trial: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            from brainseg.sweeps.search import trial_of

            self._trial = trial_of(self.storage, self.study, self.number)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        value = trainer.callback_metrics.get(self.monitor)
        is_behind = self._is_behind(trainer.current_epoch, math.nan if value is None else float(value))
        if trainer.strategy.broadcast(is_behind):
            self.pruned = trainer.should_stop = True
            if trainer.is_global_zero:
                log.info(
                    "trial %d is behind the others: pruned after epoch %d", self.number, trainer.current_epoch
                )

    def _is_behind(self, epoch: int, value: float) -> bool:
        """In the first process; a data base that does not answer ends no training."""
        if self._trial is None or not math.isfinite(value):
            return False
        from optuna.exceptions import OptunaError, StorageInternalError

        try:
            self._trial.report(value, epoch)
            return bool(self._trial.should_prune())
        except (OptunaError, StorageInternalError) as error:
            log.warning(
                "%s: epoch %d is not reported: %s", self.storage, epoch, " ".join(str(error).split())[:200]
            )
            return False


def pruning_of(cfg: DictConfig) -> Pruning | None:
    """What reports a job to the study that it is a trial of; None where it is of none.

    Raises:
        ConfigError: The study is named in part only.
    """
    given = [cfg.sweep.storage, cfg.sweep.study, cfg.sweep.trial]
    if given == [None] * 3:
        return None
    if None in given:
        raise ConfigError(
            "sweep.storage, sweep.study and sweep.trial name a trial together; give all or none"
        )
    return Pruning(cfg.sweep.storage, cfg.sweep.study, cfg.sweep.trial, str(cfg[cfg.task].monitor))
