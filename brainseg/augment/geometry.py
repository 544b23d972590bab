"""Random places to look up a patch at: turned, scaled, bent."""

import math

import torch
from torch import Generator, Tensor

NODE_VOXELS = 32  # between control points


def random_turn(generator: Generator, *, rotate_degrees: float, scale: float) -> Tensor:
    """A rotation about X, Y and Z times a scale: (3, 3), from places in the patch to places in the volume."""
    turn = torch.eye(3) * (1 + scale * _signed(generator))
    for axis in range(3):
        angle = math.radians(rotate_degrees * _signed(generator))
        first, second = [a for a in range(3) if a != axis]
        about = torch.eye(3)
        about[first, first] = about[second, second] = math.cos(angle)
        about[first, second], about[second, first] = -math.sin(angle), math.sin(angle)
        turn = about @ turn
    return turn


def random_bend(shape: tuple[int, int, int], generator: Generator, *, strength: float) -> Tensor:
    """How far each voxel is displaced along X, Y and Z, voxels, (3, *shape).

    Control points `NODE_VOXELS` apart are displaced by at most `strength` along each axis; cubic B-splines
    between them, so that no voxel is displaced further.
    """
    weights = [_spline_weights(side) for side in shape]
    nodes = 2 * torch.rand(3, *(len(w[0]) for w in weights), generator=generator) - 1
    return torch.einsum("cijk,xi,yj,zk->cxyz", strength * nodes, *weights)


def _spline_weights(side: int) -> Tensor:
    """What each node counts at each voxel, (side, nodes); the sum over the nodes is 1."""
    place = torch.arange(side) / NODE_VOXELS
    first = place.floor().long()
    f = (place - first)[:, None]
    values = torch.cat([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], 1) / 6
    weights = torch.zeros(side, math.floor((side - 1) / NODE_VOXELS) + 4)
    return weights.scatter_(1, first[:, None] + torch.arange(4), values)


def _signed(generator: Generator) -> float:
    return float(2 * torch.rand((), generator=generator) - 1)
