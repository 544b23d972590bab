"""Random places to look up a patch at: turned, scaled, bent."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

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
    return bend_of(random_nodes(shape, generator, strength=strength), shape)


def random_nodes(shape: tuple[int, int, int], generator: Generator, *, strength: float) -> Tensor:
    """How far the control points of a patch are displaced along X, Y and Z, voxels, (3, i, j, k)."""
    return strength * (2 * torch.rand(3, *map(_nodes, shape), generator=generator) - 1)


def bend_of(nodes: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """How far each voxel of a patch is displaced by its control points, (3, *shape), on their device."""
    weights = [_spline_weights(side).to(nodes.device) for side in shape]
    return torch.einsum("cijk,xi,yj,zk->cxyz", nodes, *weights)


def looked_up(image: Tensor, labels: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """An image (C, X, Y, Z) at places between its voxels, interpolated, and the label of the nearest voxel.

    Places (3, x, y, z) are voxels along X, Y and Z. Beyond the volume its edge goes on.
    """
    first, box = _box_around(places, labels.shape)
    image, labels = image[(slice(None), *box)], labels[box]
    last = torch.tensor(labels.shape).view(3, 1, 1, 1) - 1
    places = (places - first).clamp_(torch.zeros(()), last)
    return _interpolated(image, places, last), nearest(labels, places)


def _box_around(places: Tensor, shape: Sequence[int]) -> tuple[Tensor, tuple[slice, ...]]:
    """The voxels that lie around places, as a box in a volume of that shape, and its first voxel."""
    last = torch.tensor(shape) - 1
    low, high = (
        voxel.long().clamp_min(0).minimum(last)
        for voxel in (places.amin(dim=(1, 2, 3)).floor(), places.amax(dim=(1, 2, 3)).ceil())
    )
    box = tuple(slice(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    return low.view(3, 1, 1, 1), box


def _interpolated(image: Tensor, places: Tensor, last: Tensor) -> Tensor:
    # Weighted sums of the rows of a table, a voxel each: the result of `grid_sample` in half its time.
    table = _table(image)
    lowest, highest = table.aminmax()
    if lowest == highest:  # the empty background
        return lowest.expand(len(image), *places.shape[1:])
    low = places.floor().minimum((last - 1).clamp_min(0))
    share = (places - low).flatten(1)
    x, y, z = torch.stack((1 - share, share), dim=1)  # (2, n) each, of the lower voxel and of the upper one
    weights = (x[:, None, None] * y[:, None] * z).flatten(0, 2)
    upper = torch.cartesian_prod(*(torch.arange(2).clamp_max(end) for end in last.flatten())).T
    rows = _row(low, image.shape[1:])[:, None] + _row(upper, image.shape[1:])
    values = F.embedding_bag(rows, table, mode="sum", per_sample_weights=weights.T.contiguous())
    return values.T.reshape(len(image), *places.shape[1:])


def _table(image: Tensor) -> Tensor:
    """Its values, float32, in one row for each voxel: (X * Y * Z, C)."""
    table = torch.empty(*image.shape[1:], len(image))
    for c, channel in enumerate(image):
        table[..., c] = channel  # one by one: several times faster than all at once
    return table.flatten(0, 2)


def nearest(labels: Tensor, places: Tensor) -> Tensor:
    """Labels (X, Y, Z) of the voxels nearest to places (3, ...) within their volume."""
    rows = _row(places.round(), labels.shape)
    return labels.flatten().index_select(0, rows).view(places.shape[1:])


def _row(voxels: Tensor, shape: Sequence[int]) -> Tensor:
    """The number of each voxel (3, ...) in a flattened volume of that shape, (n,), int32."""
    x, y, z = voxels.int().flatten(1)
    number: Tensor = (x * shape[1] + y) * shape[2] + z
    return number


def _spline_weights(side: int) -> Tensor:
    """What each node counts at each voxel, (side, nodes); the sum over the nodes is 1."""
    place = torch.arange(side) / NODE_VOXELS
    first = place.floor().long()
    f = (place - first)[:, None]
    values = torch.cat([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], 1) / 6
    weights = torch.zeros(side, _nodes(side))
    return weights.scatter_(1, first[:, None] + torch.arange(4), values)


def _nodes(side: int) -> int:
    """Control points along a side of so many voxels."""
    return math.floor((side - 1) / NODE_VOXELS) + 4


def _signed(generator: Generator) -> float:
    return float(2 * torch.rand((), generator=generator) - 1)
