"""The cube of a scan that a classifier of volumes sees, and the way back."""

import numpy as np
import pytest
import torch

from brainseg.preprocess.cubes import corner_of, in_cube, out_of_cube


@pytest.mark.parametrize("side", [6, 15, 40])
def test_what_a_cube_says_comes_back_to_where_it_was_cut_out(side):
    image = torch.zeros(2, 30, 22, 17)
    image[1, 4:25, 3:9, 2:17] = torch.arange(1, 21 * 6 * 15 + 1).view(21, 6, 15)
    cube = in_cube(image, side)
    assert cube.shape == (2, side, side, side)
    corner = corner_of(image, side)
    back = out_of_cube(cube[1].numpy(), corner, image.shape[1:])
    seen = np.zeros(image.shape[1:], bool)
    seen[tuple(slice(max(a, 0), a + side) for a in corner)] = True
    np.testing.assert_array_equal(back, np.where(seen, image[1], 0))
    assert seen.all() == (side == 40)
