"""Every job of a sweep is tried before the first one starts: a value that cannot work costs no run."""

from collections.abc import Callable
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from brainseg.config import ConfigError, UserError, check
from brainseg.system.terminal import exit_with_error
from brainseg.training.early import refuse_early

Job = tuple[str, ...]  # its overrides


class CheckSweep(Callback):
    """Hydra composes every job first, by which it refuses unknown keys and choices; this adds ours."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with code 2 and one line if any job of Hydra's own sweeper cannot work.

        Refused are values out of bounds, then networks that cannot be built, such as an unknown backbone,
        and folds that the subjects cannot fill. Other sweepers choose their jobs as they go.
        """
        if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            return
        try:
            jobs = _composed(config)
        except (HydraException, OmegaConfBaseException):
            return  # Hydra composes the jobs next, and says this itself
        _refuse_bad(jobs, check)
        if config.hydra.launcher._target_.endswith(".BasicLauncher"):
            _refuse_bad(jobs, _refuse_several_processes)
        _refuse_bad(jobs, refuse_early)
        from brainseg.training.preflight import (
            preflight,  # loads torch, so only once the values are known to be good
        )

        _refuse_bad(jobs, preflight)


def _composed(config: DictConfig) -> dict[Job, DictConfig]:
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
    loader = GlobalHydra.instance().config_loader()
    batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return {tuple(job): loader.load_sweep_config(config, list(job)) for batch in batches for job in batch}


def _refuse_several_processes(cfg: DictConfig) -> None:
    """Lightning would begin the other processes of a job with the command of the whole sweep."""
    trainer = cfg.trainer
    if str(trainer.strategy).startswith("ddp") and trainer.devices not in (1, "1"):
        raise ConfigError(
            f"trainer.strategy is {trainer.strategy} and trainer.devices {trainer.devices}, but the jobs of "
            "a sweep run one after the other in one process; set trainer.devices=1, or train each alone"
        )


def _refuse_bad(jobs: dict[Job, DictConfig], checked: Callable[[DictConfig], None]) -> None:
    for job, cfg in jobs.items():
        try:
            checked(cfg)
        except UserError as error:
            # Hydra makes a warning of a callback's exception, but lets it exit.
            exit_with_error(f"{error} (in the job {' '.join(job)}; none was started)")
