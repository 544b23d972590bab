"""Random changes of training slices (B, C, S, S)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class SliceAugment:
    """Slices, each with its own flip, small affine, contrast, brightness and noise; of plain numbers."""

    flip: float = 0.0  # probability of a mirror image, left for right
    rotate_degrees: float = 0.0  # at most
    scale: float = 0.0  # from 1 - scale to 1 + scale
    shift: float = 0.0  # share of the side, at most, along each axis
    contrast: float = 0.0  # share by which values spread about their mean, at most
    brightness: float = 0.0  # shift in standard deviations of the slice, at most
    noise: float = 0.0  # standard deviation in standard deviations of the slice, at most

    def __call__(self, slices: Tensor, generators: Sequence[Generator]) -> Tensor:
        """Slices (B, C, S, S) of any range of values, each changed as its own generator says."""
        # Everything is drawn whether used or not: one strength does not move the draws of the others.
        draws = torch.stack([torch.rand(8, generator=generator) for generator in generators], dim=1)
        mirror, turn, grow, across, down, spread, lift, grain = draws
        slices = self._placed(slices, mirror, turn, grow, across, down)
        return self._toned(slices, spread, lift, grain, generators)

    def _placed(
        self, slices: Tensor, mirror: Tensor, turn: Tensor, grow: Tensor, across: Tensor, down: Tensor
    ) -> Tensor:
        mirrored = torch.where(mirror < self.flip, -1.0, 1.0)
        if not (self.rotate_degrees or self.scale or self.shift):
            return torch.where(mirrored.view(-1, 1, 1, 1).to(slices.device) < 0, slices.flip(-1), slices)
        angle = math.radians(self.rotate_degrees) * (2 * turn - 1)
        size = 1 + self.scale * (2 * grow - 1)
        cos, sin = angle.cos() * size, angle.sin() * size
        # grid_sample counts from -1 to 1 over the side: a shift by a share of it is twice that.
        right, below = 2 * self.shift * (2 * across - 1), 2 * self.shift * (2 * down - 1)
        matrices = torch.stack(
            [
                torch.stack([cos * mirrored, -sin, right], dim=1),
                torch.stack([sin * mirrored, cos, below], dim=1),
            ],
            dim=1,
        )
        places = F.affine_grid(matrices.to(slices), list(slices.shape), align_corners=False)
        return F.grid_sample(slices, places, mode="bilinear", padding_mode="border", align_corners=False)

    def _toned(
        self, slices: Tensor, spread: Tensor, lift: Tensor, grain: Tensor, generators: Sequence[Generator]
    ) -> Tensor:
        if not (self.contrast or self.brightness or self.noise):
            return slices
        spread, lift, grain = (draw.view(-1, 1, 1, 1).to(slices) for draw in (spread, lift, grain))
        deviation, mean = torch.std_mean(slices, dim=(1, 2, 3), keepdim=True)
        factor = 1 + self.contrast * (2 * spread - 1)
        toned = (slices - mean) * factor + mean + self.brightness * (2 * lift - 1) * deviation
        if not self.noise:
            return toned
        # The same in all channels: they are one grey image.
        noise = torch.stack([_grains(slices[0, :1], own) for own in generators])
        return toned + noise * (self.noise * grain * deviation)


def _grains(like: Tensor, own: Generator) -> Tensor:
    """Standard normal numbers; a GPU draws its own."""
    if like.device.type != "cpu":
        own = Generator(like.device).manual_seed(own.initial_seed())
    return torch.randn(like.shape, generator=own, device=like.device)
