"""The threads of a training and the processes that load for it: trainer.threads and data.workers."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from omegaconf import DictConfig

from brainseg.data.loading import worker_count
from brainseg.system.device import best_device, own_cores
from brainseg.system.threads import asked_threads, computing_with, threads_beside


@contextmanager
def cores_shared_out(cfg: DictConfig, before: Mapping[str, Any] | None) -> Iterator[None]:
    """Train within with the threads that are asked for, else with those that suit the loaders.

    Args:
        cfg: The training's config.
        before: What the run that goes on was computed with, its `threads` for one; None: a new run.
    """
    with computing_with(_threads(cfg, before or {}), children=True):
        yield


def in_words(cfg: DictConfig) -> str:
    """The threads and the processes that load, as "threads: 1, loaders: 1"."""
    return f"threads: {torch.get_num_threads()}, loaders: {worker_count(cfg.data.workers)}"


def processes_on_machine(cfg: DictConfig) -> int:
    """How many processes of this training will share the machine, before they have met."""
    given = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE", "")
    if given.isdigit() and int(given):
        return int(given)
    devices = cfg.trainer.devices
    if str(devices) in ("auto", "-1"):
        return max(1, torch.cuda.device_count()) if device_of(cfg).type == "cuda" else 1
    if isinstance(devices, str) and "," in devices:
        return len([one for one in devices.split(",") if one.strip()])
    return int(devices) if isinstance(devices, int | str) else len(devices)


def device_of(cfg: DictConfig) -> torch.device:
    """The kind of device that trainer.accelerator names."""
    name = cfg.trainer.accelerator
    return best_device({"gpu": "cuda"}.get(name, name))


def _threads(cfg: DictConfig, before: Mapping[str, Any]) -> int:
    asked = cfg.trainer.threads
    if isinstance(asked, int):
        return asked
    if (said := asked_threads()) is not None:
        return said
    cores = own_cores(processes_on_machine(cfg))
    if isinstance(kept := before.get("threads"), int) and 1 <= kept <= cores:
        return kept
    return threads_beside(cfg.data.workers, cores, device_of(cfg).type)
