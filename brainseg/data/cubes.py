"""Samples of a classifier of volumes: the cube of each scan with its class."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Generator

from brainseg.augment import VolumeAugment
from brainseg.augment.cubes import CubeAugment
from brainseg.config import VolumeClassifierConfig
from brainseg.data.handover import CPU, FLOAT, LONG, Handover
from brainseg.data.loader import Samples
from brainseg.data.sampling import Draw, generator_of
from brainseg.data.shared_memory import fitting_workers
from brainseg.preprocess.cubes import in_cube

Name = TypeVar("Name")  # or the channel of a sequence
Sample = tuple[torch.Tensor, int]  # a cube (C, S, S, S) and its class


class TrainingCubes(Samples):
    """Changed cubes; a subclass says what a scan looks like this time.

    Args:
        recipe: The task's section of the config.
        targets: The class of each scan.
        seed: Draws the changes.
        handover: What is done for the device; cubes are changed on the CPU.
    """

    def __init__(
        self, recipe: VolumeClassifierConfig, targets: Sequence[int], seed: int, handover: Handover = CPU
    ) -> None:
        self.recipe, self.targets, self.seed, self.handover = recipe, list(targets), seed, handover
        self.augment = CubeAugment(VolumeAugment(**vars(recipe.augment)), recipe.turns)

    def __len__(self) -> int:
        return len(self.targets)

    @abstractmethod
    def scan(self, index: int, generator: Generator) -> torch.Tensor:
        """A prepared scan (C, X, Y, Z), 0 throughout in the channels that are not shown this time."""

    def __getitem__(self, draw: Draw) -> Sample:
        epoch, index = draw
        generator = generator_of(self.seed, epoch, index)
        cube = in_cube(self.scan(index, generator), self.recipe.side)
        cube = self.augment(cube, generator)
        return cube.to(self.handover.image_type).contiguous(), self.targets[index]


class WholeCubes(Samples):
    """Prepared scans (C, X, Y, Z) as prediction would show them, with their classes."""

    def __init__(self, scans: Sequence[torch.Tensor], targets: Sequence[int], side: int) -> None:
        self.scans, self.targets, self.side = scans, list(targets), side

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample:
        return in_cube(self.scans[index], self.side), self.targets[index]


def drawn_sequences(
    there: Sequence[Name], recipe: VolumeClassifierConfig, generator: Generator
) -> list[Name]:
    """Which of the sequences that are there a sample shows: all, or a part of them, each as often."""
    if len(there) < 2 or not torch.rand((), generator=generator) < recipe.subset_share:
        return list(there)
    number = int(torch.randint(1, 2 ** len(there) - 1, (), generator=generator))  # neither none nor all
    return [name for place, name in enumerate(there) if number >> place & 1]


def cube_loaders(recipe: VolumeClassifierConfig, workers: int | str, handover: Handover) -> int:
    """Loader processes for cubes, as many as shared memory has room for."""
    cube = len(recipe.preprocess.modalities) * recipe.side**3
    return fitting_workers(
        workers,
        train_bytes=recipe.batch_size * (cube * handover.image_type.itemsize + LONG),
        other_bytes=cube * FLOAT + LONG,
    )
