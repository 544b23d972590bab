"""The air around heads whose air is known, and around those that have none."""

import numpy as np
import pytest

from brainseg.gates import air, scan
from brainseg.gates.assessment import Unmeasured
from brainseg.images.tissue import tissue_of

CUBES = (2.0, 2.0, 2.0)


@pytest.fixture
def head() -> np.ndarray:
    """100 in a ball of 40 voxels of 2 mm, with 0 around it; longer along the second axis than the ball."""
    axes = np.meshgrid(np.arange(64) - 31.5, np.arange(112) - 55.5, np.arange(64) - 31.5, indexing="ij")
    return (sum(a**2 for a in axes) < 20**2).astype(np.float32) * 100


def noisy(image, deviation=2.0, seed=0):
    rng = np.random.default_rng(seed)
    return np.hypot(
        image + rng.normal(0, deviation, image.shape), rng.normal(0, deviation, image.shape)
    ).astype(np.float32)


def measured(image, spacing_mm=CUBES):
    """ghost_level and air_structure of a scan."""
    small, size_mm = scan.coarse(image, spacing_mm)
    squares, _ = scan.coarse(image**2, spacing_mm)
    around = air.air_around(small, tissue_of(small), size_mm)
    if isinstance(around, Unmeasured):
        return around, around
    return air.ghost_level(small, squares, around), air.air_structure(small, around, size_mm)


def test_corners_are_dark_unless_black_is_white(head):
    assert air.air_level(head, tissue_of(head)) == 0
    negative = 110 - head
    assert air.air_level(negative, tissue_of(negative)) > 0.9


@pytest.mark.parametrize("deviation", [1.0, 4.0])
def test_noise_of_any_strength_is_no_ghost(head, deviation):
    ghosts, structure = measured(noisy(head, deviation))
    assert ghosts == pytest.approx(0, abs=0.002)
    assert structure < 0.04


def test_what_lies_evenly_in_the_air_is_measured_beyond_the_noise(head):
    level, _ = measured(noisy(head + 6, 1.0))  # as a spike in k-space, whose magnitude is the same everywhere
    assert level == pytest.approx(0.06 - 0.019, abs=0.005)


def test_a_second_head_in_the_air_is_uneven(head):
    ghost = noisy(head) + 0.08 * np.roll(head, 50, axis=1)
    assert measured(ghost)[1] == pytest.approx(0.08, abs=0.02)


def test_zeros_around_the_noise_are_no_structure(head):
    """The round field of view of a gradient correction, or a rectangle in a square."""
    clean = noisy(head, 5.0)
    rows, columns = np.meshgrid(np.arange(64) - 31.5, np.arange(112) - 55.5, indexing="ij")
    cut = clean * ((rows / 31) ** 2 + (columns / 45) ** 2 < 1)[:, :, None]
    assert measured(cut)[1] < 1.3 * measured(clean)[1]
    assert measured(cut)[0] == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (lambda image: np.where(image > 50, image, 0), "most of the background has one value"),  # stripped
        (lambda image: np.where(image > 7, image, 0), "most of the background has one value"),  # thresholded
        (lambda image: np.where(image > 7, image, -3), "most of the background has one value"),
        (lambda image: image[16:48, 40:72, 16:48], "too little air"),
    ],
)
def test_a_scan_without_air_is_not_judged_by_it(head, done, why):
    for found in measured(done(noisy(head)).astype(np.float32)):
        assert isinstance(found, Unmeasured)
        assert why in found.why


def test_the_ends_of_a_head_in_thick_slices_are_no_air():
    """A head cut off above and below in slices of 7 mm: its outer slices were once taken for bright air."""
    axes = np.meshgrid(np.arange(128) - 63.5, np.arange(128) - 63.5, indexing="ij")
    inside = (sum(a**2 for a in axes) < 45**2).astype(np.float32)[:, :, None] * np.ones(20, np.float32) * 100
    ghosts, structure = measured(noisy(inside), (1.88, 1.88, 7.0))
    assert ghosts == pytest.approx(0, abs=0.005)
    assert structure < 0.02
