import numpy as np

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
