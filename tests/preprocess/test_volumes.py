from itertools import product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from brainseg.config import VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import GeometryError, ImageError
from brainseg.images.volume import Grid, Volume
from brainseg.preprocess.resample import linear_weights
from brainseg.preprocess.volumes import prepare_labels, prepare_volume

from ..orientations import ORIENTATIONS

LANDMARKS = [[0, 30, 40, 45, 50, 55, 60, 70, 80, 90, 100]]  # of one channel


def how(intensity="minmax", crop="none", spacing_mm=None, modalities=("t1",)):
    return VolumePreprocess(list(modalities), spacing_mm, Intensity[intensity], Crop[crop])


def volume(data, spacing_mm=(1.0, 1.0, 1.0), orientation="RAS"):
    data = np.asarray(data, np.float32)
    data = data[None] if data.ndim == 3 else data
    turns = nib.orientations.axcodes2ornt(tuple(orientation))
    order = turns[:, 0].astype(int)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(turns):
        affine[int(world), axis] = sign * spacing_mm[axis]
    affine[:3, 3] = [-9.5, 4, 7.25]
    assert sorted(order) == [0, 1, 2]
    return Volume(data, Grid(data.shape[1:], affine))


def ball(side=40, radius=12.0, spacing_mm=(1.0, 1.0, 1.0)):
    axes = [(np.arange(round(side / s)) + 0.5) * s - side / 2 for s in spacing_mm]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return (x**2 + y**2 + z**2 < radius**2).astype(np.float32)


def dice(a, b):
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_marked_voxel_comes_back_from_every_orientation(orientation, nearest):
    data = np.zeros((4, 5, 6))
    data[1, 3, 2] = 1
    scan = volume(data, (1, 2, 3), orientation)
    prepared = prepare_volume(scan, how())
    assert prepared.grid.orientation == "RAS"
    assert scan.grid.orientation == orientation
    back = prepared.undo(prepared.image, nearest=nearest)
    np.testing.assert_array_equal(back, scan.data)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_cut_as_the_network_looked_lies_on_its_answer(orientation):
    data = np.zeros((6, 7, 8))
    data[1:4, 2:6, 3:5] = np.random.default_rng(0).integers(1, 3, (3, 4, 2))  # 0 and 1 to the network
    scan = volume(data, (1, 2, 3), orientation)
    prepared = prepare_volume(scan, how(crop="nonzero"))
    cut = prepared.cut(scan.data[0] > 1.5)
    answer = prepared.at_source(prepared.image, nearest=True)[0]
    np.testing.assert_array_equal(cut, answer == 1)
    np.testing.assert_array_equal(prepared.paste(cut[None])[0], scan.data[0] > 1.5)


@given(
    shape=st.tuples(*[st.integers(4, 12)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
    spacing=st.tuples(*[st.floats(0.4, 5)] * 3),
    wanted=st.lists(st.floats(0.5, 4), min_size=3, max_size=3),
    crop=st.sampled_from([Crop.none, Crop.nonzero, Crop.head]),
)
@settings(max_examples=50, deadline=None)
def test_the_undone_array_has_the_scans_own_shape_and_place(shape, orientation, spacing, wanted, crop):
    data = np.random.default_rng(0).random(shape)
    scan = volume(data, spacing, orientation)
    try:
        prepared = prepare_volume(scan, how("minmax", crop.name, wanted), brain=data > 0.1)
    except ImageError:  # so small that one voxel is left, which is constant
        assume(False)
    ones = np.ones((2, *prepared.grid.shape), np.uint8)
    for nearest in (True, False):
        back = prepared.undo(ones, nearest=nearest)
        assert back.shape == (2, *shape)
        # The prepared grid covers all of the crop, so within it ones come back as ones, outside as zeros.
        assert set(np.unique(back.round(5))) <= {0, 1}
        assert back[:, data > 0.1].min() == pytest.approx(1) or crop is Crop.head
    assert np.allclose(prepared.grid.spacing_mm, wanted, rtol=2e-3)


@pytest.mark.parametrize("spacing_mm", [None, [1.0, 1.0, 1.0], [0.9999, 1.0, 1.0]])
def test_the_scans_own_spacing_leaves_voxels_as_they_are(spacing_mm):
    data = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    data[0, 0, 0], data[0, 0, 1] = 0, 1
    prepared = prepare_volume(volume(data), how("minmax", spacing_mm=spacing_mm))
    np.testing.assert_array_equal(prepared.image[0], data)
    np.testing.assert_array_equal(prepared.undo(prepared.image, nearest=False)[0], data)


@pytest.mark.parametrize(
    ("spacing", "wanted", "at_least"),
    [((1, 1, 1), 1.5, 0.94), ((1, 1, 1), 2.0, 0.94), ((0.8, 0.8, 4), 2.0, 0.95), ((2, 2, 2), 1.0, 0.98)],
)
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR"])
def test_labels_come_back_from_other_spacings(spacing, wanted, at_least, orientation):
    truth = ball(spacing_mm=spacing) > 0
    scan = volume(truth, spacing, orientation)
    prepared = prepare_volume(scan, how("minmax", "none", [wanted] * 3))
    labels = prepare_labels(Volume(scan.data.astype(np.uint8), scan.grid), prepared)
    assert labels.dtype == np.uint8
    assert labels.shape == prepared.grid.shape
    assert dice(prepared.undo(labels[None], nearest=True)[0] > 0, truth) > at_least
    assert dice(prepared.undo(labels[None], nearest=False)[0] > 0.5, truth) > at_least


@pytest.mark.parametrize("wanted", [1.5, 2.0, 3.0])
def test_labels_do_not_drift_to_one_side(wanted):
    truth = ball(side=42, radius=15)
    scan = volume(truth)
    prepared = prepare_volume(scan, how(spacing_mm=[wanted] * 3))
    labels = prepare_labels(Volume(scan.data.astype(np.uint8), scan.grid), prepared)
    middle = nib.affines.apply_affine(prepared.grid.affine, ndimage.center_of_mass(labels))
    np.testing.assert_allclose(middle, np.add([-9.5, 4, 7.25], 20.5), atol=0.1)  # of 42 voxels from 0


def test_the_last_voxel_of_a_coarse_grid_is_filled_though_its_centre_lies_beyond_the_scan():
    data = np.random.default_rng(0).random((5, 4, 4)) + 1  # 5 mm at 4 mm: centres at 2 and 6 mm
    prepared = prepare_volume(volume(data), how("zscore", spacing_mm=[4.0, 1.0, 1.0]))
    assert prepared.grid.shape == (2, 4, 4)
    np.testing.assert_allclose(linear_weights(5, np.array([1.5, 5.5])).sum(axis=1), 1, rtol=1e-6)
    assert prepared.image[0, 1].mean() > -2  # a layer of zeros would be far below the others


def test_halving_the_resolution_keeps_the_corner_and_the_volume():
    scan = volume(ball(side=40))
    prepared = prepare_volume(scan, how("minmax", spacing_mm=[2.0, 2.0, 2.0]))
    assert prepared.grid.shape == (20, 20, 20)
    np.testing.assert_allclose(
        prepared.grid.affine[:3, 3], scan.grid.affine[:3, 3] + 0.5
    )  # half a fine voxel
    np.testing.assert_allclose(
        ndimage.center_of_mass(prepared.image[0]), [9.5, 9.5, 9.5], atol=1e-5
    )  # the middle of 20 voxels
    assert prepared.image.sum() * 8 == pytest.approx(scan.data.sum(), rel=0.01)


def test_a_part_of_a_voxel_at_the_end_is_kept():
    prepared = prepare_volume(volume(np.random.default_rng(0).random((5, 4, 4))), how(spacing_mm=[2.0] * 3))
    assert prepared.grid.shape == (3, 2, 2)


def test_weights_at_half_the_voxel_size_are_linear_and_at_twice_gaussian():
    fine = linear_weights(3, np.array([-0.25, 0.25, 0.75, 1.25, 1.75, 2.25]))
    np.testing.assert_allclose(
        fine, [[1, 0, 0], [0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0.75, 0.25], [0, 0.25, 0.75], [0, 0, 1]]
    )
    coarse = linear_weights(40, np.arange(20) * 2 + 0.5)[10]
    spread = np.average((np.arange(40) - 20.5) ** 2, weights=coarse)
    # Variances add: 3 / (8 ln 2) of the Gaussian, and 1/4 of the mean of two neighbours.
    assert spread == pytest.approx(3 / (8 * np.log(2)) + 0.25, rel=1e-3)
    np.testing.assert_allclose(linear_weights(40, np.arange(20) * 2 + 0.5).sum(axis=1), 1, rtol=1e-6)


def test_fine_stripes_vanish_instead_of_turning_into_wide_ones():
    stripes = np.zeros((64, 4, 4), np.float32)
    stripes[::2] = 1
    prepared = prepare_volume(volume(stripes), how("minmax", spacing_mm=[3.0, 1.0, 1.0]))
    weights = linear_weights(64, np.arange(1.0, 62, 3))
    assert np.ptp(weights @ stripes[:, 0, 0]) < 0.25  # of 1; picking every third voxel would keep all of it
    assert prepared.image.shape == (1, 22, 4, 4)


def test_outside_of_the_brain_is_zero_and_cropped_away():
    scan = volume(np.random.default_rng(0).random((8, 9, 10)) + 1)
    brain = np.zeros((8, 9, 10), bool)
    brain[2:5, 3:7, 4:9] = True
    brain[2, 3, 4] = False
    prepared = prepare_volume(scan, how("zscore_nonzero", "nonzero"), brain)
    assert prepared.grid.shape == (3, 4, 5)
    assert prepared.image[0, 0, 0, 0] == 0
    np.testing.assert_array_equal(prepared.undo(np.ones((1, 3, 4, 5)), nearest=True)[0].sum(), 60)
    np.testing.assert_allclose(prepared.grid.affine[:3, 3], scan.grid.affine[:3, 3] + [2, 3, 4])


@pytest.mark.parametrize("crop", [Crop.none, Crop.nonzero, Crop.head])
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SRA"])
def test_a_brain_mask_does_what_zeros_outside_of_it_would(orientation, crop):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2, 14, 12, 10)) + 9
    data[:, :, :5] = 0  # so that the crop is smaller than the brain's box
    brain = np.zeros((14, 12, 10), bool)
    brain[3:12, 2:11, 4:8] = rng.random((9, 9, 4)) < 0.5
    settings = how("zscore_nonzero", crop.name, modalities=("t1", "flair"))
    by_mask = prepare_volume(volume(data, orientation=orientation), settings, brain)
    by_zeros = prepare_volume(volume(data * brain, orientation=orientation), settings)
    np.testing.assert_array_equal(by_mask.image, by_zeros.image)
    np.testing.assert_array_equal(by_mask.grid.affine, by_zeros.grid.affine)
    assert by_mask.crop == by_zeros.crop
    if crop is Crop.nonzero:
        assert sorted(by_mask.grid.shape) == [4, 6, 9]


def test_a_crop_to_the_head_leaves_air_and_stray_voxels_outside():
    rng = np.random.default_rng(0)
    data = rng.rayleigh(1, (60, 60, 60)).astype(np.float32)
    data[20:40, 22:42, 24:44] += 100
    data[2, 2, 2] = data[55, 3, 50] = 100
    prepared = prepare_volume(volume(data), how("percentile", "head"))
    assert prepared.grid.shape == (36, 36, 36)  # 20 voxels and a margin of 8 mm on each side
    np.testing.assert_allclose(prepared.grid.affine[:3, 3], np.add([-9.5, 4, 7.25], [12, 14, 16]))


@pytest.mark.parametrize("crop", [Crop.none, Crop.nonzero, Crop.head])
def test_channels_keep_their_order_and_share_one_crop(crop):
    two = np.zeros((2, 12, 12, 12), np.float32)
    two[0, 2:5, 2:5, 2:5] = np.arange(27).reshape(3, 3, 3) + 1
    two[1, 6:9, 2:5, 2:5] = np.arange(27).reshape(3, 3, 3) + 1
    prepared = prepare_volume(volume(two), how("minmax", crop.name, modalities=("t1", "flair")))
    first, second = (ndimage.center_of_mass(c)[0] for c in prepared.image)
    assert second - first == pytest.approx(4)
    if crop is Crop.nonzero:
        assert prepared.grid.shape == (7, 3, 3)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_zscore_of_all_voxels_and_of_those_that_are_not_zero(dtype):
    data = np.array([0, 0, 0, 0, 2, 4, 4, 6], dtype).reshape(2, 2, 2)
    scan = Volume(data[None], Grid((2, 2, 2), np.eye(4)))
    whole = prepare_volume(scan, how("zscore")).image
    assert whole.dtype == np.float32
    assert (whole.mean(), whole.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    inside = prepare_volume(scan, how("zscore_nonzero")).image.ravel()
    root2 = 2**0.5  # 2, 4, 4, 6: mean 4, deviation sqrt 2
    np.testing.assert_allclose(inside, [0, 0, 0, 0, -root2, 0, 0, root2], atol=1e-6)


def test_negative_values_in_the_brain_count_as_brain():
    data = np.array([0, 0, -1, 1, -1, 1, -1, 1.0]).reshape(2, 2, 2)
    np.testing.assert_allclose(prepare_volume(volume(data), how("zscore_nonzero")).image[0], data)


def test_minmax_and_percentile_by_hand():
    data = np.zeros((11, 10, 20), np.float32)
    data[:10] = np.arange(2000).reshape(10, 10, 20) + 1000
    assert prepare_volume(volume(data), how("minmax")).image.max() == 1
    image = prepare_volume(volume(data), how("percentile")).image[0]
    # Brighter than the mean, 1817.7: 1818 to 2999; their percentiles .5 and 99.5 are 1823.905 and 2993.095.
    assert image[5, 0, 0] == pytest.approx((2000 - 1823.905) / 1169.19, abs=1e-5)
    assert image[0].max() == 0
    bright = data.copy()
    bright[10, 0, 0] = 1e6
    assert prepare_volume(volume(bright), how("percentile")).image.max() == 1.5


@pytest.mark.parametrize("intensity", list(Intensity))
def test_scaling_does_not_depend_on_the_units_of_the_scanner(intensity):
    data = np.zeros((10, 10, 10), np.float32)
    data[2:8, 2:8, 2:8] = np.random.default_rng(0).random((6, 6, 6)) + 0.5
    settings = how(intensity.name)
    np.testing.assert_allclose(
        prepare_volume(volume(1000 * data), settings, landmarks=LANDMARKS).image,
        prepare_volume(volume(data), settings, landmarks=LANDMARKS).image,
        atol=1e-4,
    )


def test_the_scan_itself_is_never_changed():
    data = np.random.default_rng(0).random((6, 6, 6)).astype(np.float32)
    for intensity, crop in product(Intensity, (Crop.none, Crop.nonzero, Crop.head)):
        scan = volume(data.copy())
        prepare_volume(scan, how(intensity.name, crop.name), brain=data > 0.2, landmarks=LANDMARKS)
        np.testing.assert_array_equal(scan.data[0], data)


def test_what_cannot_be_prepared_is_said():
    data = np.random.default_rng(0).random((4, 4, 4))
    scan = volume(data)
    with pytest.raises(ImageError, match="has 1 channels but 2 are needed: t1ce, flair"):
        prepare_volume(scan, how(modalities=("t1ce", "flair")))
    with pytest.raises(ImageError, match="brain mask is empty"):
        prepare_volume(scan, how(), np.zeros((4, 4, 4), bool))
    with pytest.raises(GeometryError, match=r"brain mask is \(4, 4, 5\) but the scan is \(4, 4, 4\)"):
        prepare_volume(scan, how(), np.ones((4, 4, 5), bool))
    with pytest.raises(ImageError, match="t1: all voxels used are 3"):
        prepare_volume(volume(np.full((4, 4, 4), 3)), how())
    for intensity, value in (("zscore_nonzero", 5), ("zscore_nonzero", -5), ("percentile", 5)):
        with pytest.raises(ImageError, match=rf"t1: .* {value}; a mask given as a scan"):
            prepare_volume(volume(value * (data > 0.5)), how(intensity))
    prepared = prepare_volume(scan, how())
    with pytest.raises(
        GeometryError, match=r"array \(1, 4, 4, 5\) does not lie on the prepared grid \(4, 4, 4\)"
    ):
        prepared.undo(np.ones((1, 4, 4, 5)), nearest=True)
    with pytest.raises(GeometryError, match="labels do not lie on the scan's grid: shape"):
        prepare_labels(volume(np.ones((4, 4, 5))), prepared)


def test_the_report_s_crop_is_cut_out_of_a_scaled_brats_volume_and_pasted_back():
    data = np.zeros((240, 240, 155), np.float32)
    data[56, 60, 13], data[183, 100, 140], data[20, 20, 20] = 1.0, 2.0, 4.0  # the brightest lies outside
    scan = volume(data, orientation="LPS")
    prepared = prepare_volume(scan, how("minmax", "report", [1.0, 1.0, 1.0]))
    assert prepared.image.shape == (1, 128, 128, 128)
    # In RAS the first two axes run the other way: 56 to 183 of 240 stay 56 to 183.
    assert prepared.image[0, 127, 123, 0] == 0.25
    assert prepared.image[0, 0, 83, 127] == 0.5
    back = prepared.undo(prepared.image, nearest=True)
    assert back.shape == scan.data.shape
    assert (back[0, 56, 60, 13], back[0, 183, 100, 140], back[0, 20, 20, 20]) == (0.25, 0.5, 0)


def test_the_report_s_crop_is_for_brats_volumes_only():
    with pytest.raises(GeometryError, match=r"crop=report cuts .* this scan is \(40, 40, 40\); set prep"):
        prepare_volume(volume(ball()), how("minmax", "report"))


def test_nothing_comes_back_beyond_the_crop_though_the_last_coarse_voxel_reaches_further():
    data = np.zeros((1, 9, 9, 9), np.float32)
    data[0, 2:5, 2:7, 2:7] = 1  # 3 voxels become 2 of twice the size, which reach over a fourth
    data[0, 3, 3, 3] = 2
    prepared = prepare_volume(
        Volume(data, Grid((9, 9, 9), np.eye(4))),
        how(crop="nonzero", spacing_mm=[2.0, 2.0, 2.0]),
    )
    assert prepared.grid.shape == (2, 3, 3)
    back = prepared.undo(np.ones((1, 2, 3, 3), np.float32), nearest=False)
    np.testing.assert_array_equal(back > 0, data > 0)
