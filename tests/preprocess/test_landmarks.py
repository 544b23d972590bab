"""Histogram standardisation."""

import numpy as np
import pytest

from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.training import VolumePreprocess
from brainseg.images.volume import Grid, Volume
from brainseg.preprocess.landmarks import at_landmarks, head_percentiles, learn_landmarks
from brainseg.preprocess.volumes import prepare_volume


def head(seed=0, gamma=1.0, gain=1.0):
    """Half air, half head with grey values from 100 to 200."""
    values = np.random.default_rng(seed).uniform(0, 1, (20, 20, 10)) ** gamma
    return np.concatenate([np.zeros((20, 20, 10)), gain * (100 + 100 * values)], axis=2).astype(np.float32)


def test_percentiles_are_of_the_head_and_not_of_the_air():
    found = head_percentiles(head())
    assert found == pytest.approx([101, 110, 120, 130, 140, 150, 160, 170, 180, 190, 199], abs=2)


def test_landmarks_of_one_scan_are_its_percentiles_from_0_to_100():
    found = np.array([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30.0])
    assert learn_landmarks([found]) == pytest.approx([0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 100])
    other = 7 * found + 3  # another gain and offset changes nothing
    assert learn_landmarks([found, other]) == pytest.approx(learn_landmarks([found]))


def test_scans_of_different_contrast_get_the_same_percentiles():
    scans = [head(0), head(1, gamma=2.0, gain=5), head(2, gamma=0.5, gain=0.1)]
    landmarks = learn_landmarks([head_percentiles(scan) for scan in scans])
    for scan in scans:
        moved = at_landmarks(scan, landmarks)
        inside = moved[scan > scan.mean()]
        assert np.percentile(inside, [1, 30, 50, 99]) == pytest.approx(
            [landmarks[0], landmarks[3], landmarks[5], landmarks[10]], abs=0.1
        )


def test_values_go_straight_between_the_landmarks_and_on_beyond_them():
    scan = head()
    own, landmarks = head_percentiles(scan), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    moved = at_landmarks(scan, landmarks)
    between = (scan >= own[0]) & (scan <= own[-1])
    np.testing.assert_allclose(moved[between], np.interp(scan[between], own, landmarks), atol=1e-3)
    air = -(own[0]) * 10 / (own[1] - own[0])  # at grey value 0, by the slope of the first segment
    assert moved[0, 0, 0] == pytest.approx(air, rel=1e-4)


def test_prepared_scans_have_a_head_of_mean_0_and_deviation_1():
    settings = VolumePreprocess(["t1"], None, Intensity.landmarks, Crop.none)
    scan = Volume(head()[None], Grid((20, 20, 20), np.eye(4)))
    landmarks = [[0, 30, 40, 45, 50, 55, 60, 70, 80, 90, 100]]
    image = prepare_volume(scan, settings, landmarks=landmarks).image[0]
    moved = at_landmarks(scan.data[0], landmarks[0])
    inside = image[moved > moved.mean()]
    assert inside.mean() == pytest.approx(0, abs=1e-4)
    assert inside.std(ddof=1) == pytest.approx(1, abs=1e-4)


def test_without_landmarks_or_contrast_it_says_so():
    settings = VolumePreprocess(["t1"], None, Intensity.landmarks, Crop.none)
    scan = Volume(head()[None], Grid((20, 20, 20), np.eye(4)))
    with pytest.raises(ConfigError, match="no landmarks were learnt"):
        prepare_volume(scan, settings)
    with pytest.raises(ImageError, match=r"the brighter voxels are all 7; a mask given as a scan\?"):
        head_percentiles(np.where(head() > 0, np.float32(7), np.float32(0)))
