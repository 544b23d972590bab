"""How long a network will take: one input is timed, and counted as often as it will be shown such."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
import torch

from brainseg.images.masks import box_of
from brainseg.images.volume import Volume, to_ras
from brainseg.inference import Windows
from brainseg.nets import sees_its_window
from brainseg.prediction.scans import brain_if_stripped
from brainseg.preprocess.volumes import head_of
from brainseg.trained import Model
from brainseg.trained.computing import as_it_predicts

ADULT_BRAIN_MM = np.array([150.0, 185.0, 145.0])  # along R, A and S

Sides = tuple[float, float, float]


@dataclass(frozen=True)
class Sizes:
    """What the stages will look at, before any of them has run.

    Args:
        head_mm: Sides of the box around the head, along R, A and S.
        brain_mm: The same of the brain; of an adult's where the scan has a skull.
        came_stripped: Whether the scan has no skull.
        apart: Sequences on a grid of their own, in which a head is looked for anew.
    """

    head_mm: Sides
    brain_mm: Sides
    came_stripped: bool
    apart: int


@dataclass(frozen=True)
class Work:
    """So many passes of a network over inputs of one shape."""

    module: Model
    shape: tuple[int, ...]  # (C, ...), without the batch
    passes: float

    def seconds(self) -> float:
        """One pass is timed, after another that warms up."""
        x = torch.zeros((1, *self.shape), device=self.module.device)
        with torch.inference_mode(), as_it_predicts(self.module):
            self.module(x)
            start = time.perf_counter()
            self.module(x).sum().item()  # waits for a GPU
            return self.passes * (time.perf_counter() - start)


def sizes_of(volumes: dict[str, Volume], *, registered: bool) -> Sizes:
    """What the stages will look at in the scans (1, X, Y, Z) of one subject, the reference first."""
    reference = next(iter(volumes.values()))
    head_mm, came_stripped = _box_mm(reference), brain_if_stripped(reference) is not None
    brain_mm = head_mm if came_stripped else tuple(np.minimum(head_mm, ADULT_BRAIN_MM).tolist())
    apart = [one for one in volumes.values() if one.grid.difference(reference.grid)]
    return Sizes(head_mm, brain_mm, came_stripped, 0 if registered else len(apart))


def work_on_volume(module: Any, size_mm: Sides, windows: Windows, *, times: int = 1) -> Work:
    """A scan of this size, by a network for volumes.

    One that is shown the whole scan at once has as much work as with windows that do not overlap.
    """
    config = module.config
    spacing_mm = config.preprocess.spacing_mm or (1.0, 1.0, 1.0)
    sides = [ceil(size / step) for size, step in zip(size_mm, spacing_mm, strict=True)]
    shape = (len(config.preprocess.modalities), *config.patch)
    if not sees_its_window(module.net):
        return Work(module, shape, times * prod(sides) / prod(config.patch))
    return Work(module, shape, times * _windows(sides, config.patch, windows.overlap))


def _windows(sides: Sequence[int], patch: Sequence[int], overlap: float) -> int:
    """How many windows cover a volume."""
    steps = [max(1, int(side * (1 - overlap))) for side in patch]
    return prod(
        1 + ceil(max(0, size - side) / step) for size, side, step in zip(sides, patch, steps, strict=True)
    )


def _box_mm(volume: Volume) -> Sides:
    """Sides along R, A and S of the box around what is bright."""
    ras = to_ras(volume)
    box = box_of(head_of(ras.data))
    x, y, z = (
        len(range(*side.indices(n))) * mm
        for side, n, mm in zip(box, ras.grid.shape, ras.grid.spacing_mm, strict=True)
    )
    return x, y, z
