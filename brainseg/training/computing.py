"""How the network of a training computes: as asked, as the run did before, as timed, or as usual."""

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from brainseg.data.handover import moved
from brainseg.data.loader import Samples
from brainseg.nets.layout import usual_layout, with_layout
from brainseg.system.device import bf16_is_fast, precision_for
from brainseg.system.terminal import say
from brainseg.tasks import TaskModule
from brainseg.trained.computing import (
    BF16,
    FLOAT32,
    Computing,
    about,
    computed,
    computing_from,
    plain_seconds,
    timed_in_words,
    ways,
)
from brainseg.trained.remembered import recall_or_make
from brainseg.trained.timing import clock_of, fastest, growing, long_enough, seconds_of
from brainseg.training.cores import device_of, processes_on_machine

LEAST_STEPS = 200  # of a training for which seconds of timing pay
MOST_SAMPLES = 32  # that are timed at once
LIGHTNING = {FLOAT32: "32-true", BF16: "bf16-mixed"}
OWN = {name: own for own, name in LIGHTNING.items()}

log = logging.getLogger("brainseg")
_say = rank_zero_only(say)  # of several processes one speaks


def computing_of(
    cfg: DictConfig, module: TaskModule, data: Any, before: Mapping[str, Any] | None
) -> Computing:
    """How the network of a training computes; a precision of Lightning's that has no name here has its own.

    Args:
        cfg: Its config.
        module: Its model, with the first weights, which stay as they are.
        data: Its data, set up.
        before: What the run that goes on was computed with; None: a new run.
    """
    device = device_of(cfg)
    asked, layout = str(cfg.trainer.precision), usual_layout(module.net, device)
    if asked != "auto":
        return Computing(OWN.get(asked, asked), layout)
    usual = Computing(OWN[precision_for(device)], layout)
    if before is not None:
        return _kept(computing_from(before), usual, device)
    if steps_of(cfg, data) < LEAST_STEPS:
        return usual
    return _timed_once(cfg, module, data, device) or usual


def lightning_name(precision: str) -> str:
    """What Lightning calls it."""
    return LIGHTNING.get(precision, precision)


def steps_of(cfg: DictConfig, data: Any) -> float:
    """Batches of the whole training, of this process alone; without end where only the time is limited."""
    epochs, limit = cfg.trainer.max_epochs, cfg.trainer.limit_train_batches
    batches = ceil(len(data.train_samples()) / cfg[cfg.task].batch_size)
    if limit is not None:
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    return float("inf") if epochs is None or epochs < 0 else batches * epochs


def _kept(before: Computing | None, usual: Computing, device: torch.device) -> Computing:
    """As the run did before, which a device without bfloat16 cannot."""
    if before is None:
        return usual
    if before.precision == BF16 and not bf16_is_fast(device):
        log.warning(
            "the run was computed in bf16, at which this device is slow: it goes on in float32; "
            "trainer.precision=bf16-mixed keeps it"
        )
        return usual
    return before


def _timed_once(cfg: DictConfig, module: TaskModule, data: Any, device: torch.device) -> Computing | None:
    """The fastest way, timed or remembered; None where several processes could not agree on it."""
    shape = _shape(cfg[cfg.task])
    said: list[str] = []

    def make() -> dict[str, Any]:
        way, seconds = time_ways(module, data, shape[0], device)
        said.append(f"{timed_in_words(way, seconds)}; trainer.precision=32-true or bf16-mixed is not timed")
        return {**asdict(way), "timed": plain_seconds(seconds)}

    key = about("training", module.net, shape, device)
    made, shared = recall_or_make(Path(cfg.paths.cache), key, make)
    if not shared and processes_on_machine(cfg) * cfg.trainer.num_nodes > 1:
        return None
    _say(*said)
    return computing_from(made)


def _shape(recipe: Any) -> tuple[int, ...]:
    """The shape of a batch, (B, C, ...)."""
    if "patch" in recipe:
        return (recipe.batch_size, len(recipe.preprocess.modalities), *recipe.patch)
    if "side" in recipe:
        return (recipe.batch_size, len(recipe.preprocess.modalities), *[recipe.side] * 3)
    return (recipe.batch_size, 3, recipe.preprocess.size, recipe.preprocess.size)


def time_ways(
    module: TaskModule, data: Any, batch_size: int, device: torch.device
) -> tuple[Computing, dict[Computing, float]]:
    """The fastest way to take a step, on real samples or on as much of them as takes long enough."""
    samples = data.train_samples()
    n = min(batch_size, MOST_SAMPLES, len(samples))
    x, target = _batch(samples, [samples[0, k] for k in range(n)], device)
    every, clock = ways(module.net, device), clock_of(device.type)
    copies = {way.layout: _copy(module, way.layout, device) for way in every}

    def step(way: Computing, size: Sequence[int]) -> Callable[[], None]:
        own, few = copies[way.layout], _middle(x, size)
        truth = _middle(target, (size[0], *size[2:])[: target.ndim])

        def run() -> None:
            own.zero_grad(set_to_none=True)
            with computed(device, way.precision):
                loss = own.training_loss(few, truth)
            loss.backward()
            loss.item()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return run

    def seconds(size: Sequence[int]) -> float:
        run = step(every[0], size)
        run()
        return seconds_of(run, clock)

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        # Only networks of patches halve sides as `growing` supposes; else the batch alone is halved.
        levels = len(module.config.channels) if hasattr(module.config, "patch") else 0
        size = long_enough(growing(x.shape, levels, least_batch=1 if levels else 2), seconds)
        return fastest({way: step(way, size) for way in every}, clock)


def _copy(module: TaskModule, layout: str, device: torch.device) -> TaskModule:
    copy = deepcopy(module).to(device).train()
    with_layout(copy.net, layout)
    return copy


def _batch(dataset: Samples, samples: list[Any], device: torch.device) -> list[torch.Tensor]:
    """Samples put together as the loader does it, on the device."""
    return [part.to(device) for part in dataset.finish(moved(dataset.collate(samples), device))]


def _middle(tensor: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """The middle of a tensor, but for its first axis, whose first entries are taken."""
    for axis, n in enumerate(size):
        start = 0 if axis == 0 else (tensor.shape[axis] - n) // 2
        tensor = tensor.narrow(axis, start, n)
    return tensor.contiguous()
