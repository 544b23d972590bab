"""Measures of a scan, on images whose values are known."""

import numpy as np
import pytest

from brainseg.gates import scan
from brainseg.images.tissue import tissue_of
from brainseg.images.volume import Grid, Volume


@pytest.fixture
def ball() -> np.ndarray:
    """A head of a kind: 100 in a ball of 40 voxels of 2 mm, a little structure in it, 0 around it."""
    axes = np.meshgrid(*(np.arange(64) - 31.5,) * 3, indexing="ij")
    inside = sum(a**2 for a in axes) < 20**2
    ripple = 10 * np.sin(axes[0] / 2) * np.sin(axes[1] / 2) * np.sin(axes[2] / 2)
    return (inside * (100 + ripple)).astype(np.float32)


def volume(image, spacing=2.0, shift=(0, 0, 0)):
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = shift
    return Volume(image[None], Grid(image.shape, affine))


def test_what_is_saturated_is_the_share_at_the_highest_value(ball):
    tissue = tissue_of(ball)
    assert scan.saturated_share(np.minimum(ball, 50), tissue) == 1.0
    half = np.where(np.arange(64)[:, None, None] < 32, np.minimum(ball, 50), ball / 4)
    assert scan.saturated_share(half, tissue) == pytest.approx(0.5, abs=0.01)


def test_grey_levels_are_counted_in_the_middle_slices():
    image = np.zeros((9, 9, 9), np.float32)
    image[4] = np.arange(81).reshape(9, 9) + 100
    assert scan.grey_levels(image, image > 0) == 81


def test_a_blurred_scan_has_no_fine_structure(ball):
    from scipy import ndimage

    rng = np.random.default_rng(0)
    grainy = ball * (1 + rng.normal(0, 0.1, ball.shape)).astype(np.float32)
    blurred = ndimage.gaussian_filter(grainy, 3)
    sharp, soft = (scan.sharpness(x, tissue_of(x), (2.0, 2.0, 2.0)) for x in (grainy, blurred))
    assert sharp > 0.5 > 0.1 > soft


def test_the_distance_between_two_heads_is_found_across_contrasts(ball):
    other = (200 - ball) * (ball > 0)

    def edges(head):
        return scan.edges_of(scan.on_cubes(head, volume(ball).grid, scan.Pools()))

    first = edges(volume(ball))

    def apart(moved):
        return scan.apart_mm(first, edges(moved))

    assert apart(volume(other)) == 0
    assert apart(volume(np.roll(other, 8, axis=1))) == pytest.approx(16)
    assert apart(volume(other[:, 4:], shift=(0, 8, 0))) == 0  # the same place in the world, on another grid


def test_a_scan_given_twice_correlates_at_one(ball):
    assert scan.likeness(ball, 3 * ball + 5) == pytest.approx(1)
    assert scan.likeness(ball, np.random.default_rng(0).random(ball.shape)) < 0.1


def test_coarse_means_are_about_two_millimetres_large():
    image = np.arange(6 * 4 * 4, dtype=np.float32).reshape(6, 4, 4)
    small, size = scan.coarse(image, (1.0, 1.0, 3.0))
    assert small.shape == (3, 2, 4)
    assert size == (2.0, 2.0, 3.0)
    assert small[0, 0, 0] == image[:2, :2, 0].mean()
