"""The brain of a template as tensors, aged and pushed aside at random: what painted tumours grow in."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from brainseg.phantom.scanners import Random
from brainseg.phantom.tissues import Tissues

Triple = tuple[int, int, int]
MARGIN_MM = 10.0  # of the head around the brain that is painted too
_DEPTH_MM = 28.0  # side of the cube whose share of brain says how deep its middle lies
DEEP_MM = 12.0  # fluid so deep is that of the ventricles
YOUNG_SHARE = 0.45  # of the brains have narrower sulci
OLD_SHARE = 0.6  # of the others have wider ones
WIDE_SHARE = 0.2  # of the brains have wider ventricles


@dataclass(frozen=True)
class Anatomy:
    """A brain and what lies around it, all tensors (X, Y, Z) in RAS.

    Attributes:
        parts: uint8, numbers of `templates.PARTS`.
        brain: The brain mask.
        gray, white, fluid: Shares of each voxel of the brain, 0 elsewhere.
        depth_mm: How far the surface of the brain is, roughly, and no more than half of 28 mm.
        spacing_mm: Side of the voxels.
    """

    parts: Tensor
    brain: Tensor
    gray: Tensor
    white: Tensor
    fluid: Tensor
    depth_mm: Tensor
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = self.parts.shape
        return x, y, z

    def axes_mm(self) -> tuple[Tensor, Tensor, Tensor]:
        """Positions along X, Y and Z, ready to broadcast, millimetres."""
        sides = (torch.arange(side, dtype=torch.float32, device=self.parts.device) for side in self.shape)
        x, y, z = (along * self.spacing_mm for along in sides)
        return x.view(-1, 1, 1), y.view(1, -1, 1), z.view(1, 1, -1)

    def with_fluid(self, fluid: Tensor) -> "Anatomy":
        """The same brain with more fluid, of which gray and white matter make room."""
        room = (1 - fluid) / (1 - self.fluid).clamp_min(1e-3)
        room = torch.where(self.brain, room, 0)
        return replace(self, gray=self.gray * room, white=self.white * room, fluid=fluid)

    @property
    def ventricles(self) -> Tensor:
        """Share of each voxel that is fluid deep in the brain."""
        return self.fluid * (self.depth_mm > DEEP_MM)


def anatomy_of(tissues: Tissues, rng: Random) -> Anatomy:
    """The part of a template around its brain, of any age."""
    margin = round(MARGIN_MM / tissues.spacing_mm)
    x, y, z = (slice(max(first - margin, 0), last + margin + 1) for first, last in tissues.brain_ends())
    box = (x, y, z)
    brain = tissues.brain[box].contiguous()
    gray, white = (part[box] / 255 * brain for part in (tissues.gray, tissues.white))
    healthy = Anatomy(
        tissues.parts[box].contiguous(),
        brain,
        gray,
        white,
        (1 - gray - white).clamp_min(0) * brain,
        _depth_mm(brain, tissues.spacing_mm),
        tissues.spacing_mm,
    )
    return _aged(healthy, rng)


def pushed(anatomy: Anatomy, centre_mm: Tensor, radius_mm: float, push: float) -> Anatomy:
    """The brain around a mass: looked up at distance d of its centre at d (1 - push / (1 + (d / 1.2 R)^2)).

    Nothing moves at the surface of the brain.
    """
    offsets = [axis - centre for axis, centre in zip(anatomy.axes_mm(), centre_mm, strict=True)]
    squared = offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2
    amount = push / (1 + squared / (1.2 * radius_mm) ** 2) * (anatomy.depth_mm / 8.0).clamp(0, 1)
    sides = [max(side - 1, 1) * anatomy.spacing_mm for side in anatomy.shape]
    # torch looks up places from -1 to 1, the last axis first
    places = [
        (axis - offset * amount) * (2 / side) - 1
        for axis, offset, side in zip(anatomy.axes_mm(), offsets, sides, strict=True)
    ]
    maps = torch.stack([anatomy.gray, anatomy.white])[None]
    moved = functional.grid_sample(
        maps, torch.stack(places[::-1], dim=-1)[None], align_corners=True, padding_mode="border"
    )[0]
    gray, white = moved[0] * anatomy.brain, moved[1] * anatomy.brain
    return replace(anatomy, gray=gray, white=white, fluid=(1 - gray - white).clamp_min(0) * anatomy.brain)


def widened(share: Tensor, voxels: int) -> Tensor:
    """The largest value within so many voxels along each axis."""
    for kernel, pad in _lines(voxels):
        share = functional.max_pool3d(share[None, None], kernel, stride=1, padding=pad)[0, 0]
    return share


def averaged(share: Tensor, voxels: int) -> Tensor:
    """The mean over a cube that reaches so many voxels along each axis."""
    for kernel, pad in _lines(voxels):
        share = functional.avg_pool3d(share[None, None], kernel, stride=1, padding=pad)[0, 0]
    return share


def _lines(voxels: int) -> list[tuple[Triple, Triple]]:
    """Kernel and padding along one axis after the other, which is faster than a cube."""
    side = 2 * voxels + 1
    return [
        ((side, 1, 1), (voxels, 0, 0)),
        ((1, side, 1), (0, voxels, 0)),
        ((1, 1, side), (0, 0, voxels)),
    ]


def _depth_mm(brain: Tensor, spacing_mm: float) -> Tensor:
    half = functional.avg_pool3d(brain.float()[None, None], 2, ceil_mode=True)
    near = averaged(half[0, 0], max(1, round(_DEPTH_MM / spacing_mm / 4)))
    share = functional.interpolate(near[None, None], size=brain.shape, mode="trilinear", align_corners=False)
    return (share[0, 0] - 0.5).clamp_min(0) * _DEPTH_MM


def _aged(anatomy: Anatomy, rng: Random) -> Anatomy:
    """Wider sulci and wider ventricles in some, narrow sulci in others."""
    fluid = anatomy.fluid
    if rng.random() < YOUNG_SHARE:
        fluid = torch.where(anatomy.depth_mm > DEEP_MM, fluid, fluid * float(rng.uniform(0.2, 0.8)))
        anatomy = replace(anatomy, gray=anatomy.gray + anatomy.fluid - fluid, fluid=fluid)
    elif rng.random() < OLD_SHARE:
        fluid = fluid + float(rng.uniform(0.1, 0.7)) * (widened(fluid, 1) - fluid)
    if rng.random() < WIDE_SHARE:
        reach = max(1, round(float(rng.uniform(1.5, 4.5)) / anatomy.spacing_mm))
        whole = averaged((anatomy.ventricles > 0.7).float(), 1) > 0.5  # no sulci, which are thin
        fluid = torch.maximum(fluid, averaged(widened(whole.float(), reach + 1), 1))
    return anatomy.with_fluid(fluid * anatomy.brain)
