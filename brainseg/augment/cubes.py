"""Random changes of a whole scan in its cube (C, S, S, S), for a classifier."""

import itertools
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from brainseg.augment.patches import happens
from brainseg.augment.volumes import VolumeAugment

# All ways to lay a cube along its axes: an order of the axes, and those that are mirrored.
ORIENTATIONS = [
    (order, tuple(axis for axis in range(3) if mirrored[axis]))
    for order in itertools.permutations(range(3))
    for mirrored in itertools.product((False, True), repeat=3)
]


@dataclass(frozen=True)
class CubeAugment:
    """A cube turned, flipped, bent and with other intensities, 0 where it shows nothing.

    Args:
        changes: Of its places and intensities.
        turns: Probability that it is laid in another orientation along the axes.
    """

    changes: VolumeAugment
    turns: float = 0.0

    def __call__(self, cube: Tensor, generator: Generator) -> Tensor:
        """A changed cube, float32; channels that are 0 throughout stay so."""
        labels = torch.zeros(cube.shape[1:], dtype=torch.uint8)
        places = replace(self.changes, intensity=0.0)
        cube, _ = places(cube, labels, generator)
        if self.turns and happens(self.turns, generator):
            number = int(torch.randint(len(ORIENTATIONS), (), generator=generator))
            cube = laid(cube, number)
        empty = cube == 0
        values = VolumeAugment(**{name: getattr(self.changes, name) for name in _INTENSITIES})
        cube, _ = values(cube.contiguous(), labels, generator)
        return cube.masked_fill_(empty, 0)


_INTENSITIES = ("intensity", "bias", "gamma", "contrast", "brightness", "noise")


def laid(cube: Tensor, number: int) -> Tensor:
    """A cube (C, S, S, S) in one of `ORIENTATIONS`."""
    order, mirrored = ORIENTATIONS[number]
    turned = cube.permute(0, *(axis + 1 for axis in order))
    return turned.flip([axis + 1 for axis in mirrored]) if mirrored else turned
