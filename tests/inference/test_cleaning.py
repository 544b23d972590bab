"""What cleaning does to a predicted tumour, on voxels of 2 mm: 0.008 ml each."""

import numpy as np
import pytest

from brainseg.inference import Cleaning

VOXEL_ML = 0.008


@pytest.fixture
def tumor() -> np.ndarray:
    """A cube of edema of 6 voxels a side, a core of 4 in it, an enhancing middle of 2; a crumb of 3."""
    classes = np.zeros((16, 12, 12), np.uint8)
    classes[2:8, 2:8, 2:8] = 2
    classes[3:7, 3:7, 3:7] = 1
    classes[4:6, 4:6, 4:6] = 3
    classes[12, 5, 5:8] = 2
    return classes


def test_the_default_does_nothing(tumor):
    np.testing.assert_array_equal(Cleaning()(tumor, VOXEL_ML), tumor)


def test_what_is_smaller_than_the_least_part_goes(tumor):
    kept = Cleaning(least_part_ml=3 * 0.008)(tumor, VOXEL_ML)
    np.testing.assert_array_equal(kept, tumor)  # the crumb is just as large
    cleaned = Cleaning(least_part_ml=3.1 * 0.008)(tumor, VOXEL_ML)
    assert not cleaned[12].any()
    np.testing.assert_array_equal(cleaned[:8], tumor[:8])


def test_too_little_enhancing_tumour_becomes_necrotic_core(tumor):
    enhancing_ml = 8 * 0.008
    np.testing.assert_array_equal(Cleaning(least_enhancing_ml=enhancing_ml)(tumor, VOXEL_ML), tumor)
    cleaned = Cleaning(least_enhancing_ml=enhancing_ml + 0.001)(tumor, VOXEL_ML)
    assert (cleaned[4:6, 4:6, 4:6] == 1).all()
    np.testing.assert_array_equal(cleaned > 0, tumor > 0)


def test_a_hole_in_the_core_becomes_core_and_one_in_the_edema_edema(tumor):
    holed = tumor.copy()
    holed[4, 4, 4] = 0  # within the core
    holed[7, 4, 4] = 0  # in its outermost layer of edema: open to the outside, no hole
    filled = Cleaning(fill=True)(holed, VOXEL_ML)
    assert (filled[4, 4, 4], filled[7, 4, 4]) == (1, 0)
    closed = np.zeros_like(tumor)
    closed[2:8, 2:8, 2:8] = 2
    closed[4, 4, 4] = 0
    assert Cleaning(fill=True)(closed, VOXEL_ML)[4, 4, 4] == 2


def test_small_parts_go_before_enhancing_tumour_is_counted(tumor):
    tumor[12, 5, 5:8] = 3  # the crumb now enhances
    rule = Cleaning(least_part_ml=0.03, least_enhancing_ml=9 * 0.008)
    assert not (rule(tumor, VOXEL_ML) == 3).any()


def test_an_empty_prediction_stays_empty():
    empty = np.zeros((4, 4, 4), np.uint8)
    assert not Cleaning(1.0, True, 1.0)(empty, VOXEL_ML).any()


def test_a_cavity_is_neither_a_hole_nor_a_part_of_the_tumour(tumor):
    tumor[4:6, 4:6, 4:6] = 4  # 8 voxels within the core, where the enhancing tumour was
    np.testing.assert_array_equal(Cleaning(fill=True)(tumor, VOXEL_ML), tumor)
    tumor[8, 2, 2] = 4  # touches the tumour, as a part of its own
    cleaned = Cleaning(least_part_ml=8 * 0.008)(tumor, VOXEL_ML)
    assert (cleaned == 4).sum() == 8
    assert not cleaned[8:].any()  # the crumb of tumour too
    assert (cleaned[2:8, 2:8, 2:8] == tumor[2:8, 2:8, 2:8]).all()


def test_a_cavity_alone_stays(tumor):
    cavity = np.where(tumor > 0, np.uint8(4), np.uint8(0))
    rule = Cleaning(least_part_ml=3 * 0.008, fill=True, least_enhancing_ml=1.0)
    np.testing.assert_array_equal(rule(cavity, VOXEL_ML), cavity)
