"""Measures of brain masks, by hand and beside the atlas itself."""

import numpy as np
import pytest
from scipy import ndimage

from brainseg.gates import atlas, brain

STEP = (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def mni() -> np.ndarray:
    return np.pad(atlas.atlas().brain, 8)


def test_pieces_and_holes_are_shares():
    mask = np.zeros((20, 20, 20), bool)
    mask[2:12, 2:12, 2:12] = True  # 1,000
    mask[15:17, 15:17, 15:17] = True  # 8
    mask[5:7, 5:7, 5:7] = False  # a hole of 8
    assert brain.pieces_share(mask) == pytest.approx(8 / 1000)
    assert brain.holes_share(mask) == pytest.approx(8 / 1000)
    assert brain.pieces_share(np.zeros((4, 4, 4), bool)) == 1


def test_sides_and_what_is_cut_off_in_mm_and_cm2():
    mask = np.zeros((20, 20, 20), bool)
    mask[5:15, 5:15, 10:] = True
    assert brain.sides_mm(mask, (1.0, 2.0, 3.0)) == (10, 20, 30)
    assert brain.cut_cm2(mask, (1.0, 2.0, 2.0)) == (2.0, 0.0)  # 10 x 20 mm at the top
    assert brain.cut_cm2(mask[:, :, ::-1], (1.0, 2.0, 2.0)) == (0.0, 2.0)


def test_a_brain_is_symmetric_also_when_it_lies_askew(mni):
    straight = brain.asymmetry(mni, STEP)
    turned = ndimage.rotate(mni.astype(np.float32), 10, axes=(0, 1), reshape=False, order=1) > 0.5
    half = mni.copy()
    half[: mni.shape[0] // 2 - 4] = False
    assert straight < 0.03
    assert brain.asymmetry(turned, STEP) < 0.06
    assert brain.asymmetry(half, STEP) > 0.11


@pytest.mark.parametrize(
    ("turned", "upright"),
    [
        (lambda m: m, True),
        (lambda m: m[::-1], True),  # left and right cannot be told apart
        (lambda m: m[:, :, ::-1], False),
        (lambda m: m[:, ::-1], False),
        (lambda m: m.transpose(0, 2, 1), False),
        (lambda m: m.transpose(1, 0, 2), False),
    ],
)
def test_the_atlas_knows_which_way_up_a_brain_is(mni, turned, upright):
    margin = atlas.uprightness(turned(mni), STEP)
    assert (margin > 0.05) == upright
    assert (margin < -0.05) != upright


def test_tissues_are_where_the_atlas_has_them(mni):
    template = atlas.atlas()
    image = np.zeros(mni.shape, np.float32)
    inner = tuple(slice(8, -8) for _ in range(3))
    image[inner] = np.where(ndimage.binary_dilation(template.tissues[atlas.WHITE]), 3.0, 2.0) * template.brain
    image[inner][template.tissues[atlas.CSF]] = 1.0
    medians = atlas.tissue_medians(image, mni, STEP)
    assert medians[atlas.WHITE] > medians[atlas.GRAY] > medians[atlas.CSF]


def test_a_tumor_in_half_of_the_brain_does_not_pass_for_its_tissue(mni):
    template = atlas.atlas()
    image, tumor = np.zeros(mni.shape, np.float32), np.zeros(mni.shape, bool)
    inner = tuple(slice(8, -8) for _ in range(3))
    white = template.tissues[atlas.WHITE]
    image[inner] = np.where(white, 1.0, 2.0) * template.brain
    tumor[inner][: int(0.53 * len(white))] = True
    image[tumor & mni] = 5.0  # oedema in FLAIR
    blind, seen, all_of_it = (
        atlas.tissue_medians(image, mni, STEP, where) for where in (None, tumor, np.ones_like(tumor))
    )
    assert blind[atlas.WHITE] >= blind[atlas.GRAY]
    assert seen[atlas.WHITE] < seen[atlas.GRAY]
    assert all_of_it == blind  # nothing would be left to measure


def test_the_sella_of_the_atlas_is_found_in_a_brain_of_another_size(mni):
    where = atlas.sella_of(mni, (3.0, 3.5, 4.5))
    np.testing.assert_allclose(where / (3.0, 3.5, 4.5), (atlas.atlas().sella + 8 * 4) / 4.0, atol=1e-6)


@pytest.mark.parametrize(("thick_mm", "least", "most"), [(1.0, 0, 8), (7.0, 0, 20)])
def test_a_brain_that_ends_in_its_uppermost_slice_is_hardly_cut_off(thick_mm, least, most):
    """A ball of 75 mm whose uppermost slice has its crown; then one whose upper 30 mm are missing."""
    height = (np.arange(round(150 / thick_mm)) + 0.5) * thick_mm - 75
    axes = np.meshgrid(np.arange(-80, 80, 2.0), np.arange(-80, 80, 2.0), height, indexing="ij")
    ball = sum(a**2 for a in axes) < 75**2
    spacing = (2.0, 2.0, thick_mm)
    assert least <= brain.cut_cm2(ball, spacing)[0] <= most
    assert brain.cut_cm2(ball[:, :, : -round(30 / thick_mm)], spacing)[0] > 50


def test_a_mask_that_is_like_no_brain_says_nothing_of_the_header(mni):
    """A brain with half of its height of neck: the mask is wrong, and not the orientation."""
    neck = np.zeros_like(mni)
    middle = np.argwhere(mni).mean(axis=0).astype(int)
    neck[middle[0] - 9 : middle[0] + 9, :, : middle[2]] = True
    assert atlas.uprightness(mni[:, :, ::-1], STEP) < 0
    assert atlas.uprightness((mni | neck)[:, :, ::-1], STEP) >= 0
