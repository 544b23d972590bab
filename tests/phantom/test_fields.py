"""Interpolation of several maps at once."""

import numpy as np
from scipy import ndimage

from brainseg.phantom.fields import sample


def test_each_map_is_interpolated_as_scipy_does_it_even_beyond_the_border():
    rng = np.random.default_rng(0)
    maps = [rng.random((9, 7, 5)).astype(np.float32) for _ in range(3)]
    places = [rng.uniform(-2, n + 1, (6, 50)).astype(np.float32) for n in (9, 7, 5)]
    for got, values in zip(sample(maps, places), maps, strict=True):
        wanted = ndimage.map_coordinates(values, np.stack(places), order=1, mode="nearest")
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_a_map_is_met_at_its_own_voxels():
    values = np.random.default_rng(1).random((4, 5, 6)).astype(np.float32)
    places = [axis.astype(np.float32) for axis in np.meshgrid(*map(np.arange, values.shape), indexing="ij")]
    np.testing.assert_allclose(sample([values], places)[0], values, atol=1e-6)
