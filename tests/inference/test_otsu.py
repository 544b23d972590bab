import numpy as np
import pytest
from scipy import ndimage

from brainseg.inference.otsu import closed, otsu_brain


def within_class_variance(counts, last_dark):
    """Otsu's criterion in its other form: what is left when both classes are replaced by their means."""
    values = np.repeat(np.arange(len(counts)), counts)
    parts = (values[values <= last_dark], values[values > last_dark])
    return sum(len(part) * part.var() for part in parts if len(part))


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_leaves_the_least_variance_within_both_classes(seed):
    rng = np.random.default_rng(seed)
    grey = np.concatenate([rng.normal(60, 15, 700), rng.normal(150, 25, 400)]).clip(0, 255).astype(int)
    counts = np.bincount(grey, minlength=256)
    left = [within_class_variance(counts, k) for k in range(255)]
    # In a row by brightness, all that is bright is one part; voxels of 100 mm leave nothing to close.
    row = np.sort(grey).astype(float)[:, None, None]
    last_dark = int(row[~otsu_brain(row, (100, 100, 100))].max())
    assert left[last_dark] == pytest.approx(min(left), rel=1e-3)


def ball(radius):
    z, y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 + z**2 <= radius**2


def test_closing_is_scipys_with_a_ball():
    mask = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(30, 28, 26)), 2) > 0.02
    expected = ndimage.binary_closing(np.pad(mask, 8), ball(4))[8:-8, 8:-8, 8:-8]
    np.testing.assert_array_equal(closed(mask, 4, (1, 1, 1)), expected)


def test_closing_measures_in_mm():
    """Two plates 8 mm apart: a ball of 5 mm closes the gap, of 3 mm it does not; voxels are 2 mm thick."""
    mask = np.ones((21, 21, 9), bool)
    mask[:, :, 3:6] = False  # plates end at 4 mm and begin at 12 mm
    assert closed(mask, 5, (1, 1, 2))[10, 10].all()
    np.testing.assert_array_equal(closed(mask, 3, (1, 1, 2)), mask)


def test_the_largest_bright_part_is_taken_and_closed():
    head = np.full((40, 40, 40), 5.0)
    head[4:24, 4:36, 4:36] = 100
    head[12:15, 12:15, 8:32] = 5  # a bright block with a dark canal of 3 mm in it
    head[32:38, 4:10, 4:10] = 120  # a smaller and brighter one
    found = otsu_brain(head, (1, 1, 1))
    expected = np.zeros(head.shape, bool)
    expected[4:24, 4:36, 4:36] = True
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_found_where_all_is_the_same():
    assert not otsu_brain(np.full((8, 8, 8), 3.0), (1, 1, 1)).any()
