"""Measures of brain masks, by hand and beside the atlas itself."""

import numpy as np
import pytest
from scipy import ndimage

from brainseg.gates import atlas, brain
from brainseg.gates.judge import judge_brain, unusual_sizes
from brainseg.images.volume import Grid

STEP = (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def mni() -> np.ndarray:
    return np.pad(atlas.atlas().brain, 8)


def test_pieces_and_holes_are_shares():
    mask = np.zeros((20, 20, 20), bool)
    mask[2:12, 2:12, 2:12] = True  # 1,000
    mask[15:17, 15:17, 15:17] = True  # 8
    mask[5:7, 5:7, 5:7] = False  # a hole of 8
    assert brain.pieces_and_holes(mask) == pytest.approx((8 / 1000, 8 / 1000))
    assert brain.pieces_and_holes(np.zeros((4, 4, 4), bool)) == (1, 0)


def test_the_sides_of_a_brain_are_in_mm():
    mask = np.zeros((20, 20, 20), bool)
    mask[5:15, 5:15, 10:] = True
    assert brain.sides_mm(mask, (1.0, 2.0, 3.0)) == (10, 20, 30)


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


@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (0, 1)])  # a nod, a roll, a turn of the head
@pytest.mark.parametrize("degrees", [-30, -14, 22, 30])
def test_a_tilted_head_is_upright_and_a_tilted_one_that_is_upside_down_is_not(mni, axes, degrees):
    tilted = ndimage.rotate(mni.astype(np.float32), degrees, axes=axes, order=1) > 0.5
    assert atlas.uprightness(tilted, STEP) > 0.02
    assert atlas.uprightness(tilted[:, :, ::-1], STEP) < -0.02
    assert atlas.uprightness(tilted[:, ::-1], STEP) < -0.02


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


def ball(spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """One of the volume of a brain, 69.4 mm in radius, that fills its image."""
    sides = [np.arange(round(138.8 / step)) * step + (step - 138.8) / 2 for step in spacing_mm]
    return sum(np.square(a) for a in np.meshgrid(*sides, indexing="ij")) < 69.4**2


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.0, 2.0, 6.94), (6.94, 1.5, 1.5)])
def test_what_an_image_cuts_off_is_known_in_thin_slices_and_thick(spacing_mm):
    """The surface of a brain is flatter than that of a ball of its volume, so the cap is under-estimated."""
    whole = ball(spacing_mm)
    assert brain.outside_share(whole, spacing_mm) < 0.01
    for axis, step in enumerate(spacing_mm):
        for lost_mm in (21, 42):
            kept = np.moveaxis(whole, axis, 0)[round(lost_mm / step) :]
            cut = np.moveaxis(kept, 0, axis)
            true = 1 - cut.sum() / whole.sum()
            for side in (cut, np.flip(cut, axis)):
                assert brain.outside_share(side, spacing_mm) == pytest.approx(true, rel=0.25)


def test_the_share_outside_does_not_depend_on_an_assumed_voxel_size():
    cut = ball((2.0, 2.0, 2.0))[:, :, :-10]
    assert brain.outside_share(cut, (2.0,) * 3) == pytest.approx(brain.outside_share(cut, (2.5,) * 3))


def test_a_mask_that_is_like_no_brain_says_nothing_of_the_header(mni):
    """A brain with half of its height of neck: the mask is wrong, and not the orientation."""
    neck = np.zeros_like(mni)
    middle = np.argwhere(mni).mean(axis=0).astype(int)
    neck[middle[0] - 9 : middle[0] + 9, :, : middle[2]] = True
    assert atlas.uprightness(mni[:, :, ::-1], STEP) < 0
    assert atlas.uprightness((mni | neck)[:, :, ::-1], STEP) >= 0


def test_an_assumed_voxel_size_is_no_reason_to_look_but_is_told(mni, limits_of_all):
    """A brain of 166 x 216 mm, as pixels that are a fifth too large make it, and one of 5 l."""
    grid = Grid(mni.shape, np.diag([4.7, 4.7, 4.0, 1]))
    known = judge_brain(mni, mni, None, grid, limits_of_all)
    assumed = judge_brain(mni, mni, None, grid, limits_of_all, size_is_assumed=True)
    assert {one.gate for one in known if one.level} >= {"brain_front_mm"}
    assert not [one for one in assumed if one.level]
    assert not unusual_sizes(known, limits_of_all)
    said = unusual_sizes(assumed, limits_of_all)
    assert any(
        "mm long (limits: 140 to 205): the brain mask or the voxel size may be wrong" in s for s in said
    )
    huge = Grid(mni.shape, np.diag([6.0, 6.0, 6.0, 1]))
    found = judge_brain(mni, mni, None, huge, limits_of_all, size_is_assumed=True)
    assert {one.gate for one in found if one.level} == {"brain_ml"}
