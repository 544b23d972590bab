"""Grids of another voxel size over the same field of view: the outer corner of the first voxel stays.

The centre of the first voxel moves: it lies half a voxel from that corner, and the voxel has another size.
"""

import numpy as np
from numpy.typing import NDArray

from brainseg.images.volume import Grid, Shape


def with_same_corner(grid: Grid, ratio: NDArray[np.float64], shape: Shape) -> Grid:
    """A grid of so many voxels, each `ratio` times as long along each axis as one of the given grid."""
    step = np.diag([*ratio, 1.0])
    step[:3, 3] = (ratio - 1) / 2
    return Grid(shape, grid.affine @ step)


def with_cubes(grid: Grid, side_mm: float) -> Grid:
    """The same field of view, up to half a voxel, in cubes of `side_mm`."""
    ratio = side_mm / np.array(grid.spacing_mm)
    x, y, z = (max(1, round(n / r)) for n, r in zip(grid.shape, ratio, strict=True))
    return with_same_corner(grid, ratio, (x, y, z))


def slice_of(grid: Grid, axis: int, index: int) -> Grid:
    """The grid of one slice: one voxel along an axis."""
    shift = np.eye(4)
    shift[axis, 3] = index
    x, y, z = (1 if one == axis else n for one, n in enumerate(grid.shape))
    return Grid((x, y, z), grid.affine @ shift)


def positions_along(wanted: int, wanted_mm: float, given_mm: float) -> NDArray[np.float64]:
    """Where the centres of `wanted` voxels lie among given ones along one axis, as indices of these."""
    return np.asarray((np.arange(wanted, dtype=np.float64) + 0.5) * wanted_mm / given_mm - 0.5)
