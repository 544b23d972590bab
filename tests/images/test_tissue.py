"""What counts as bright."""

import numpy as np

from brainseg.images.tissue import brighter_than_mean, tissue_of


def test_tissue_is_brighter_than_a_tenth_of_the_98th_percentile():
    image = np.zeros((20, 20, 20), np.float32)
    image[5:15, 5:15, 5:15] = 100  # an eighth of the voxels, so the percentile is 100
    image[0, 0, :2] = (10.0, 10.5)
    found = tissue_of(image)
    assert found.sum() == 1001
    assert found[0, 0, 1]
    assert not found[0, 0, 0]


def test_a_percentile_of_every_second_voxel_finds_the_same_head():
    image = np.zeros((128, 128, 128), np.float32)
    image[30:100, 30:100, 30:100] = np.random.default_rng(0).uniform(50, 100, (70, 70, 70))
    np.testing.assert_array_equal(tissue_of(image, sparsely=True), tissue_of(image))


def test_voxels_brighter_than_the_mean_are_the_head():
    image = np.array([[[0.0, 0.0, 1.0, 7.0]]], np.float32)  # of mean 2
    assert brighter_than_mean(image).tolist() == [7.0]
