import numpy as np
import pytest

from brainseg.reporting.grey import to_grey


def test_the_background_of_a_z_scored_scan_is_black():
    image = np.zeros((10, 10))
    image[2:8, 2:8] = np.linspace(-3, 3, 36).reshape(6, 6)  # 0 is in the middle of the brain's range
    grey = to_grey(image)
    assert grey[0, 0] == 0
    assert grey[4, 7] > 0.3  # a brain voxel a little below 0


def test_one_hot_voxel_does_not_darken_the_rest():
    image = np.linspace(0, 1, 10_000).reshape(100, 100)
    image[50, 50] = 1e6
    grey = to_grey(image)
    assert grey[99, 0] > 0.95
    assert grey.max() == 1


def test_the_range_is_that_of_the_brain_where_it_is_given():
    image = np.linspace(0, 100, 1000)
    brain = (image > 40) & (image < 60)
    grey = to_grey(image, brain)
    assert grey[0] == 0
    assert grey[-1] == 1
    assert abs(grey[500] - 0.5) < 0.02


def test_what_is_not_a_number_is_black():
    image = np.array([[1.0, np.nan], [np.inf, 2.0]])
    grey = to_grey(image)
    assert grey[0, 1] == 0
    assert grey[1, 0] == 0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_greys_are_the_formula_to_the_last_bit_however_the_image_lies_in_memory(order, broken, masked):
    rng = np.random.default_rng(0)
    image = np.asarray(rng.normal(0, 300, (50, 60, 70)).astype(np.float32), order=order)[::-1]
    image[:20], image[30, 30, 30] = 0, np.nan if broken else 5
    inside = rng.random(image.shape) > 0.5 if masked else image != 0
    low, high = np.percentile(image[inside & np.isfinite(image)], (0.5, 99.5))
    wanted = np.clip((image - low) / (high - low), 0, 1)
    background = image == image.flat[0]
    wanted = np.where(background | ~np.isfinite(image), 0, wanted).astype(np.float32)
    np.testing.assert_array_equal(to_grey(image, inside if masked else None), wanted)
