"""A template as tensors, on the device that it is painted on."""

from typing import NamedTuple

import torch
from torch import Tensor

from brainseg.phantom.templates import Template


class Tissues(NamedTuple):
    """What `Template` holds, all tensors (X, Y, Z).

    Attributes:
        parts: uint8, numbers of `templates.PARTS`.
        gray, white: uint8, shares of 255 where `parts` is brain.
        brain: The mask that a stripper should find.
        spacing_mm: Side of the voxels, which are cubes.
    """

    parts: Tensor
    gray: Tensor
    white: Tensor
    brain: Tensor
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = self.parts.shape
        return x, y, z

    def brain_ends(self) -> list[tuple[int, int]]:
        """The first and the last voxel of the brain along each axis."""
        plane = self.brain.any(dim=0)
        used = (self.brain.flatten(1).any(dim=1), plane.any(dim=1), plane.any(dim=0))
        along = [axis.nonzero().flatten().tolist() for axis in used]
        return [(voxels[0], voxels[-1]) for voxels in along]


def tissues_of(template: Template) -> Tissues:
    """The arrays of a template, not copied."""
    arrays = (template.parts, template.gray, template.white, template.brain)
    parts, gray, white, brain = map(torch.from_numpy, arrays)
    return Tissues(parts, gray, white, brain, template.spacing_mm)
