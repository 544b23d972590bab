"""Smooth random fields that are the same on every grid and on every processor.

Fields are drawn on nodes in millimetres, so a subject keeps its shape when its voxels change size. On full
grids only additions, products and comparisons are done: IEEE arithmetic gives the same bits whatever the
vector width, the number of threads or the process. Sums by BLAS and vectorised exponentials do not promise
that.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# Side of the cube, centred in the grid, that every field covers, millimetres. Beyond it the border value
# goes on.
FIELD_MM = 320.0
# A cubic B-spline of white noise has this standard deviation; dividing by it gives unit variance.
_SPLINE_SD = 0.479**1.5
_SLAB = 32_768  # voxels that `sample` works on at a time

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


def random_stream(seed: int, *purpose: int) -> np.random.Generator:
    """Independent numbers for each purpose, so that one part's draws never move those of another."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=purpose))


def smooth_field(rng: np.random.Generator, node_mm: float, axes_mm: Sequence[NDArray[np.float64]]) -> Float:
    """A field (X, Y, Z) of mean 0 and standard deviation 1 that varies over about two nodes.

    Args:
        rng: Draws the nodes; how many depends on `node_mm` alone, not on the grid.
        node_mm: Distance of the nodes, millimetres.
        axes_mm: Positions of the voxels along each axis, from the middle of the grid, millimetres.
    """
    n_nodes = int(np.ceil(FIELD_MM / node_mm)) + 4
    field = rng.standard_normal((n_nodes,) * 3, dtype=np.float32) / np.float32(_SPLINE_SD)
    for axis in (2, 1, 0):  # the last pass is the large one, and runs over whole slabs in memory
        field = _spline(field, axes_mm[axis] / node_mm + n_nodes / 2 - 0.5, axis)
    return field


def _spline(nodes: Float, position: NDArray[np.float64], axis: int) -> Float:
    position = np.clip(position, 1.0, nodes.shape[axis] - 2.001)
    first = np.floor(position).astype(np.intp)
    f = position - first
    weights = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    shape = [1, 1, 1]
    shape[axis] = -1
    terms = (
        np.take(nodes, first + k - 1, axis=axis) * (w / 6).astype(np.float32).reshape(shape)
        for k, w in enumerate(weights)
    )
    total: Float = next(terms)
    for term in terms:
        total += term
    return total


def upsample(coarse: Float, positions: Sequence[NDArray[np.float64]]) -> Float:
    """Linear interpolation at the given indices of `coarse` along each axis, as (X, Y, Z)."""
    for axis in (2, 1, 0):
        size = coarse.shape[axis]
        position = np.clip(positions[axis], 0, size - 1)
        if size == len(position) and np.array_equal(position, np.arange(size)):
            continue
        first = np.minimum(np.floor(position).astype(np.intp), max(size - 2, 0))
        shape = [1, 1, 1]
        shape[axis] = -1
        f = (position - first).astype(np.float32).reshape(shape)
        below = np.take(coarse, first, axis=axis)
        coarse = np.take(coarse, np.minimum(first + 1, size - 1), axis=axis)
        coarse -= below
        coarse *= f
        coarse += below
    return coarse


def sample(maps: Sequence[Float], places: Sequence[Float]) -> list[Float]:
    """Maps of one shape, interpolated linearly at the same places; beyond their border its value goes on.

    Indices and weights are worked out once for all maps, SciPy's `map_coordinates` does so for each again;
    and for a slab at a time, so that they stay in the processor's cache.

    Args:
        maps: Each (X, Y, Z), contiguous.
        places: Indices along X, Y and Z, three arrays of one shape, which is that of the results.
    """
    rows = [values.ravel() for values in maps]
    lines = [along.ravel() for along in places]
    results = np.empty((len(maps), lines[0].size), dtype=np.float32)
    for start in range(0, lines[0].size, _SLAB):
        slab = slice(start, start + _SLAB)
        for result, part in zip(
            results, _sample_slab(rows, maps[0].shape, [line[slab] for line in lines]), strict=True
        ):
            result[slab] = part
    return [result.reshape(places[0].shape) for result in results]


def _sample_slab(rows: Sequence[Float], shape: Sequence[int], places: Sequence[Float]) -> Iterator[Float]:
    flat = np.zeros(places[0].shape, dtype=np.intp)
    shares: list[Float] = []
    for along, size in zip(places, shape, strict=True):
        inside = np.clip(along, 0, size - 1)
        first = np.minimum(inside.astype(np.intp), size - 2)
        shares.append(np.asarray(inside - first, dtype=np.float32))
        flat *= size
        flat += first
    corners = [flat + (a * shape[1] + b) * shape[2] for a in (0, 1) for b in (0, 1)]
    above = [corner + 1 for corner in corners]
    for row in rows:
        pairs = zip(corners, above, strict=True)
        edges = [_between(row.take(low), row.take(high), shares[2]) for low, high in pairs]
        sides = [_between(edges[0], edges[1], shares[1]), _between(edges[2], edges[3], shares[1])]
        yield _between(sides[0], sides[1], shares[0])


def _between(low: Float, high: Float, share: Float) -> Float:
    """`high` becomes `low` and its share of the way to `high`."""
    high -= low
    high *= share
    high += low
    return high
