"""A mask and what lies near it."""

import numpy as np
import pytest
from scipy import ndimage

from brainseg.images.masks import with_margin


def test_around_one_voxel_lies_a_ball():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    # Of the cubic lattice, 1 + 6 + 12 + 8 + 6 points lie within 2 of a point.
    assert with_margin(mask, 2.0, (1.0, 1.0, 1.0)).sum() == 33


def test_millimetres_are_counted_along_each_axis():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    grown = with_margin(mask, 3.0, (1.0, 1.5, 4.0))
    assert np.flatnonzero(grown[:, 4, 4]).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert np.flatnonzero(grown[4, :, 4]).tolist() == [2, 3, 4, 5, 6]
    assert np.flatnonzero(grown[4, 4, :]).tolist() == [4]


@pytest.mark.parametrize("margin_mm", [0.5, 2.0, 7.3])
def test_the_box_that_saves_time_changes_nothing(margin_mm):
    mask = np.random.default_rng(0).random((20, 24, 18)) > 0.999
    mask[0, 3, 5] = True  # at the border
    spacing = (2.0, 1.0, 1.5)
    whole = ndimage.distance_transform_edt(~mask, sampling=spacing) <= margin_mm
    np.testing.assert_array_equal(with_margin(mask, margin_mm, spacing), whole)


def test_no_margin_and_no_mask_stay_what_they_are():
    mask = np.zeros((4, 5, 6), bool)
    assert not with_margin(mask, 5.0, (1.0, 1.0, 1.0)).any()
    mask[1, 2, 3] = True
    np.testing.assert_array_equal(with_margin(mask, 0.0, (1.0, 1.0, 1.0)), mask)
