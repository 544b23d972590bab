"""Voxels of another size over the same field of view."""

import numpy as np
import pytest
from nibabel.affines import apply_affine

from brainseg.images.regrid import positions_along, slice_of, with_cubes, with_same_corner
from brainseg.images.volume import Grid, Volume, ras_grid, resample_to

GRID = Grid((8, 6, 4), np.array([[-1.0, 0, 0, 40], [0, 1, 0, -20], [0, 0, 3, 7], [0, 0, 0, 1]]))


def outer_corners_mm(grid):
    """Of the field of view: half a voxel outside of the first and of the last voxel's centre."""
    ends = np.array([[-0.5, -0.5, -0.5], np.array(grid.shape) - 0.5])
    return apply_affine(grid.affine, ends)


def test_the_outer_corner_stays_and_the_centre_of_the_first_voxel_moves():
    coarse = with_same_corner(GRID, np.array([2.0, 3.0, 0.5]), (4, 2, 8))
    assert coarse.spacing_mm == pytest.approx((2.0, 3.0, 1.5))
    np.testing.assert_allclose(outer_corners_mm(coarse), outer_corners_mm(GRID))
    np.testing.assert_allclose(coarse.affine[:3, 3], (39.5, -19.0, 6.25))


def test_cubes_cover_the_field_of_view():
    cubes = with_cubes(GRID, 2.0)
    assert cubes.shape == (4, 3, 6)
    assert cubes.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    np.testing.assert_allclose(outer_corners_mm(cubes), outer_corners_mm(GRID))
    assert with_cubes(GRID, 100.0).shape == (1, 1, 1)  # one at least


@pytest.mark.parametrize(("wanted", "wanted_mm"), [(4, 2.0), (3, 3.0), (16, 0.5)])
def test_positions_are_those_of_the_grid_with_the_same_corner(wanted, wanted_mm):
    ratio = np.array([wanted_mm, 1.0, 1.0])
    matrix = np.linalg.inv(GRID.affine) @ with_same_corner(GRID, ratio, (wanted, 6, 4)).affine
    by_affine = matrix[0, 0] * np.arange(wanted) + matrix[0, 3]
    np.testing.assert_allclose(positions_along(wanted, wanted_mm, 1.0), by_affine, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_has_the_voxels_that_the_whole_volume_has_there(axis):
    rng = np.random.default_rng(0)
    affine = np.array([[-1.1, 0.1, 0, 30], [0.1, -0.9, 0.05, 20], [0, 0, 2.3, -40], [0, 0, 0, 1]])
    labels = Volume(rng.integers(0, 4, (1, 20, 30, 15), dtype=np.uint8), Grid((20, 30, 15), affine))
    cube = with_cubes(ras_grid(labels.grid), 0.9)
    whole = resample_to(labels, cube, nearest=True).data[0]
    index = cube.shape[axis] // 3
    alone = resample_to(labels, slice_of(cube, axis, index), nearest=True).data[0]
    np.testing.assert_array_equal(alone, whole.take([index], axis=axis))
