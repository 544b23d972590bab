import numpy as np
import pytest
from scipy import ndimage

from brainseg.inference.components import fill_holes, largest_component, remove_small


@pytest.fixture
def blobs():
    """Boxes of 27, 8 and 1 voxels; the last touches the first by a corner only."""
    mask = np.zeros((12, 12, 12), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    mask[4, 4, 4] = True
    mask[8:10, 8:10, 8:10] = True
    return mask


def test_the_largest_part_includes_what_touches_it_by_a_corner(blobs):
    assert largest_component(blobs).sum() == 28


def test_small_parts_go_and_parts_of_exactly_the_minimum_stay(blobs):
    assert remove_small(blobs, 8).sum() == 36
    assert remove_small(blobs, 9).sum() == 28
    assert remove_small(blobs, 29).sum() == 0
    assert (remove_small(blobs, 0) == blobs).all()


@pytest.mark.parametrize("change", [largest_component, fill_holes, lambda mask: remove_small(mask, 2)])
@pytest.mark.parametrize("full", [False, True])
def test_empty_and_full_masks_stay_as_they_are(change, full):
    mask = np.full((4, 5, 6), full)
    assert (change(mask) == mask).all()


def test_a_hollow_box_is_filled_and_an_open_one_is_not():
    box = np.zeros((7, 7, 7), dtype=bool)
    box[1:6, 1:6, 1:6] = True
    box[2:5, 2:5, 2:5] = False
    assert fill_holes(box).sum() == 125
    box[1, 3, 3] = False  # a way out through a face
    assert fill_holes(box).sum() == box.sum()


@pytest.mark.parametrize("density", [0.3, 0.5, 0.7, 0.9])
def test_random_masks_agree_with_scipy(density):
    mask = np.random.default_rng(0).random((20, 18, 16)) < density
    assert (fill_holes(mask) == ndimage.binary_fill_holes(mask)).all()
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    assert largest_component(mask).sum() == sizes.max()
    assert remove_small(mask, 3).sum() == sizes[sizes >= 3].sum()


def test_the_argument_is_not_changed(blobs):
    before = blobs.copy()
    largest_component(blobs), fill_holes(blobs), remove_small(blobs, 5)
    assert (blobs == before).all()


def test_where_the_mask_lies_in_the_volume_changes_nothing():
    """Only its own box is looked at: a hole that opens at the border of that box stays open."""
    mask = np.random.default_rng(3).random((9, 8, 7)) < 0.6
    wide = np.pad(mask, ((3, 1), (0, 4), (2, 2)))
    inside = (slice(3, 12), slice(0, 8), slice(2, 9))
    np.testing.assert_array_equal(largest_component(wide)[inside], largest_component(mask))
    outside = ndimage.label(~wide)[0]
    edges = [np.unique(np.take(outside, edge, axis=axis)) for axis in range(3) for edge in (0, -1)]
    np.testing.assert_array_equal(fill_holes(wide), ~np.isin(outside, [k for e in edges for k in e if k]))
