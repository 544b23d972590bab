"""trainer.compile: the network is compiled for a training that is long enough."""

import logging
import os
import shutil
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only

from brainseg.config.errors import ConfigError

log = logging.getLogger("brainseg")
_info = rank_zero_only(log.info)  # of several processes one speaks

# Compiling segmenter_best takes 36 s and saves 38 ms of a step (docs/experiments/gpu.md): even after 950.
LEAST_STEPS = 2_000


class Compiled(pl.Callback):
    """Compiles the network that is trained; validation and prediction go on with it as it is.

    Weights, and so checkpoints, are those of the network itself, by their own names.

    Args:
        choice: trainer.compile: true, false, or auto: on a GPU, from `LEAST_STEPS` steps on.
    """

    def __init__(self, choice: bool | str) -> None:
        self.choice = choice

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        device, steps = trainer.strategy.root_device, steps_ahead(trainer)
        if not is_wanted(self.choice, device, steps):
            return
        _refuse_no_compiler(device)
        ahead = "without an end" if steps is None else f"of {steps} steps"
        _info("compiling the network for a training %s; trainer.compile=false leaves it out", ahead)
        pl_module.compile_net()


def steps_ahead(trainer: pl.Trainer) -> int | None:
    """Batches that are still to come; None where only the time is limited."""
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        return None
    return int(trainer.num_training_batches) * (trainer.max_epochs - trainer.current_epoch)  # type: ignore[attr-defined]


def is_wanted(choice: bool | str, device: torch.device, steps: int | None) -> bool:
    """Whether to compile for so many steps on a device."""
    if choice == "auto":
        return device.type == "cuda" and (steps is None or steps >= LEAST_STEPS)
    return bool(choice)


def _refuse_no_compiler(device: torch.device) -> None:
    """Torch translates for a CPU by the system's own compiler, and for a GPU by one that it brings.

    Raises:
        ConfigError: There is none.
    """
    name = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(name) is None:
        raise ConfigError(
            f"trainer.compile=true needs a C++ compiler on the CPU, and {name} is not there; install it, "
            "name another by CXX, or set trainer.compile=false"
        )
