"""The MNI152 template and places in it."""

import numpy as np

from brainseg.images import mni


def test_the_sella_lies_below_the_brains_middle_and_the_maps_share_one_grid():
    maps = mni.load(4)
    assert maps.brain.shape == maps.gray.shape == maps.white.shape
    used = np.argwhere(maps.brain)
    low, high = (used.min(axis=0) * 4 + maps.origin, used.max(axis=0) * 4 + maps.origin)
    np.testing.assert_allclose((low + high) / 2, mni.BRAIN_CENTRE, atol=4)
    assert (low < mni.SELLA).all()
    assert (high > mni.SELLA).all()
    assert mni.SELLA[0] == 0  # on the midline
    assert (maps.gray + maps.white)[~maps.brain].mean() < 0.02


def test_the_stored_maps_are_those_of_nilearn():
    """Made by np.savez_compressed(mni.STORED, **vars(mni.resampled(mni.STORED_MM)))."""
    stored, made = mni.load(mni.STORED_MM), mni.resampled(mni.STORED_MM)
    for name, values in vars(made).items():
        np.testing.assert_array_equal(vars(stored)[name], values)
        assert vars(stored)[name].dtype == values.dtype
    assert mni.STORED.with_suffix(".txt").is_file()  # its licence
