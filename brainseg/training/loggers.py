"""The loggers of a run: opened with what tells the run from others, and closed however it ends."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from brainseg.callbacks import MetricsCSV
from brainseg.callbacks.loggers import Dashboard, KeptModel
from brainseg.callbacks.loggers.identity import identity_in
from brainseg.checkpoint import read_checkpoint
from brainseg.config import ConfigError, plain, record
from brainseg.data.identity import data_hash
from brainseg.files.atomic import sha256
from brainseg.results.provenance import machine
from brainseg.system.device import best_device, device_name
from brainseg.tasks import TaskModule

log = logging.getLogger("brainseg")


@contextmanager
def opened_loggers(cfg: DictConfig, module: TaskModule, data: Any) -> Iterator[list[Logger]]:
    """The run's loggers, closed however the run ends.

    Args:
        cfg: The whole config.
        module: Of the task, with its provenance.
        data: Set up.

    Raises:
        ConfigError: A service refuses the run, for instance as there is no account.
    """
    nodes = {name: node for name, node in plain(cfg.logger or {}).items() if node is not None}
    loggers: list[Logger] = []
    failed = True
    try:
        for name, node in nodes.items():
            logger = instantiate(node)
            _begin(logger, name, cfg, module, data)
            loggers.append(logger)
        yield loggers
        failed = False
    finally:
        _close(loggers, failed=failed)


@rank_zero_only
def keep_models(
    loggers: Sequence[Logger], module: TaskModule, data: Any, checkpoints: Mapping[str, Path]
) -> None:
    """Give the dashboards the checkpoints that they were told to keep, once these are finished.

    Args:
        loggers: All of the run.
        module: As trained.
        data: That it was trained on.
        checkpoints: By name: best, last.
    """
    for board in [logger for logger in loggers if isinstance(logger, Dashboard)]:
        for name in board.kept_models:
            if name not in checkpoints or not checkpoints[name].is_file():
                continue
            try:
                board.keep(KeptModel(name, checkpoints[name], _about(checkpoints[name], module, data)))
            except Exception as error:  # the training is over, and its checkpoints lie in its folder
                log.warning("%s was not kept as an artifact: %s", checkpoints[name], error)


def _begin(logger: Logger, name: str, cfg: DictConfig, module: TaskModule, data: Any) -> None:
    if isinstance(logger, MetricsCSV) and cfg.resume is None:
        logger.keep(0)  # of a run that was killed in this folder before its first checkpoint
    if not isinstance(logger, Dashboard):
        logger.log_hyperparams(record(cfg))
    else:
        _begin_dashboard(logger, name, cfg, module, data)


@rank_zero_only
def _begin_dashboard(logger: Any, name: str, cfg: DictConfig, module: TaskModule, data: Any) -> None:
    run = None if cfg.paths.run is None else Path(cfg.paths.run)
    sweep = sweep_of()
    try:
        logger.begin(identity_in(run, name, resumed=cfg.resume is not None), sweep.get("sweep"))
        logger.log_hyperparams({**record(cfg), **_facts(cfg, module, data), **sweep})
    except Exception as error:  # no account here, for instance, or a run that was deleted there
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] != name:
            raise
        mend = "; WANDB_MODE=offline needs no account" if name == "wandb" else ""
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"logger={name}: {said[0]}{mend}") from error


@rank_zero_only
def _close(loggers: Sequence[Logger], *, failed: bool) -> None:
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.close(failed=failed)


def sweep_of() -> dict[str, Any]:
    """The name of the sweep that the run is a job of, and the job's number; nothing for a single run."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return {}
    hydra = HydraConfig.get()
    return {"sweep": Path(hydra.sweep.dir).name, "job": hydra.job.num}


def _facts(cfg: DictConfig, module: TaskModule, data: Any) -> dict[str, Any]:
    """What a table of runs can be sorted by beside the settings."""
    parameters = list(module.net.parameters())
    device = best_device({"gpu": "cuda"}.get(cfg.trainer.accelerator, cfg.trainer.accelerator))
    return {
        "model": {
            "parameters": sum(one.numel() for one in parameters),
            "trained_parameters": sum(one.numel() for one in parameters if one.requires_grad),
        },
        "parts": {part: len(ids) for part, ids in data.split.as_dict().items()},
        **_hashes(module, data),
        "machine": {**asdict(machine()), "device": device_name(device)},
        "commit": module.provenance.get("commit"),
    }


def _hashes(module: TaskModule, data: Any) -> dict[str, str]:
    return {"data_sha256": data_hash(data), "split_sha256": str(module.provenance.get("split", ""))}


def _about(checkpoint: Path, module: TaskModule, data: Any) -> dict[str, Any]:
    """What an artifact says of its checkpoint."""
    stored = read_checkpoint(checkpoint)
    return {
        "task": module.task,
        "sha256": sha256(checkpoint),
        **_hashes(module, data),
        "epoch": int(stored["epoch"]),
        "seed": module.provenance.get("seed"),
        "monitor": module.config.monitor,
    }
