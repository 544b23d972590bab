import numpy as np
import pytest

from brainseg.preprocess.noise import noise_share, smoothed


@pytest.fixture(scope="module")
def ball():
    """A smooth ball of brightness 100 to 130 on black."""
    x, y, z = np.mgrid[-1:1:60j, -1:1:60j, -1:1:60j]
    inside = x**2 + y**2 + z**2 < 0.8
    return np.where(inside, 115 + 15 * np.sin(2 * x) * np.cos(y), 0.0), inside


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_the_noise_that_was_added_is_found(ball, share):
    image, inside = ball
    level = np.median(image[inside])
    noisy = image + np.random.default_rng(0).normal(0, share * level, image.shape)
    assert noise_share(noisy, inside) == pytest.approx(share, rel=0.05)


def test_a_smooth_scan_has_hardly_any(ball):
    assert noise_share(*ball) < 0.001


def test_the_edge_of_the_head_is_no_noise(ball):
    _, inside = ball
    assert noise_share(np.where(inside, 100.0, 0.0), inside) == 0


def test_nothing_inside_is_no_noise():
    assert noise_share(np.ones((4, 4, 4)), np.zeros((4, 4, 4), bool)) == 0


def test_the_filter_is_as_wide_in_mm_along_thick_slices():
    point = np.zeros((41, 41, 21))
    point[20, 20, 10] = 1
    out = smoothed(point, (1.0, 1.0, 2.0), 3.0)
    ratio = out[23, 20, 10] / out[20, 20, 10]  # one deviation away
    assert ratio == pytest.approx(np.exp(-0.5), rel=0.01)
    assert out[26, 20, 10] == pytest.approx(out[20, 20, 13], rel=0.02)  # 6 mm along either axis


def test_the_filter_takes_noise_away(ball):
    image, inside = ball
    noisy = image + np.random.default_rng(0).normal(0, 20, image.shape)
    assert noise_share(smoothed(noisy, (1, 1, 1), 1.0), inside) < 0.1 * noise_share(noisy, inside)
