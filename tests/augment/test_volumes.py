import pytest
import torch
from scipy import ndimage

from brainseg.augment import VolumeAugment
from brainseg.augment.geometry import random_turn
from brainseg.augment.intensities import (
    random_bias_field,
    random_brightness,
    random_contrast,
    random_gamma,
    random_noise,
)
from brainseg.augment.patches import BLOCK, crop, random_flip, random_start, turned_crop

INTENSITIES = [random_bias_field, random_gamma, random_contrast, random_brightness, random_noise]
EVERYTHING = VolumeAugment((8, 10, 6), 0.5, affine=0.5, flip=0.5, intensity=0.5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.zeros(20, 18, 16, dtype=torch.uint8)
    labels[12:17, 3:9, 5:8] = 2
    labels[13:15, 4:6, 6:7] = 3
    return labels


@pytest.fixture
def image(labels) -> torch.Tensor:
    """Channel 0 repeats the labels, so that one sees whether they move together; channel 1 is noise."""
    return torch.stack([labels.float(), torch.randn(labels.shape, generator=seeded())])


def test_the_same_seed_gives_the_same_sample_and_another_seed_another(image, labels):
    first, second, third = (EVERYTHING(image, labels, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], third[0])


def test_nothing_changes_when_all_strengths_are_zero(image, labels):
    for augment in (
        VolumeAugment(),
        VolumeAugment(intensity=1, bias=0, gamma=0, contrast=0, brightness=0, noise=0),
    ):
        result = augment(image, labels, seeded())
        assert torch.equal(result[0], image)
        assert torch.equal(result[1], labels)


def test_the_arguments_are_not_changed(image, labels):
    before = image.clone(), labels.clone()
    augment = VolumeAugment((8, 8, 8), 1.0, affine=1, flip=1, intensity=1)
    augment(image, labels, seeded())
    assert torch.equal(image, before[0])
    assert torch.equal(labels, before[1])


@pytest.mark.parametrize("seed", range(8))
def test_labels_move_with_the_image(image, labels, seed):
    binary = (labels > 0).to(torch.uint8)
    image[0] = binary
    augment = VolumeAugment((12, 10, 8), 1.0, affine=1, rotate_degrees=30, scale=0.2, flip=0.5)
    patch, patch_labels = augment(image, binary, seeded(seed))
    assert patch_labels.sum() > 0
    # interpolated and nearest values of one mask lie on the same side of a half, but at some edges
    assert ((patch[0] > 0.5) == (patch_labels > 0)).float().mean() > 0.97


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_mirrors_image_and_labels_along_its_axis_only(image, labels, axis):
    flipped, flipped_labels = random_flip(image, labels, seeded(), probability=1, axes=(axis,))
    assert torch.equal(flipped_labels, labels.flip(axis))
    assert torch.equal(flipped[0], flipped_labels.float())


@pytest.mark.parametrize("affine", [0, 1])
def test_a_half_precision_image_gives_the_same_patch_in_float32(image, labels, affine):
    augment = VolumeAugment((8, 8, 8), affine=affine, flip=0.5, intensity=1)
    patch, _ = augment(image.half(), labels, seeded())
    assert patch.dtype == torch.float32
    assert torch.equal(patch, augment(image.half().float(), labels, seeded())[0])


def test_only_left_and_right_change_unless_other_axes_are_named(image, labels):
    assert torch.equal(VolumeAugment(flip=1.0)(image, labels, seeded())[1], labels.flip(0))
    every = VolumeAugment(flip=1.0, flip_axes=(0, 1, 2))(image, labels, seeded())
    assert torch.equal(every[1], labels.flip([0, 1, 2]))


def test_flips_happen_as_often_as_told(image, labels):
    rng = seeded()
    flips = [
        not torch.equal(random_flip(image, labels, rng, probability=0.3, axes=(0,))[1], labels)
        for _ in range(300)
    ]
    assert 0.2 < sum(flips) / 300 < 0.4


def test_a_patch_is_centred_on_a_labelled_voxel_as_often_as_told():
    labels = torch.zeros(40, 40, 40, dtype=torch.uint8)
    labels[11, 23, 30] = 1  # far enough from the edge for a centred patch
    rng = seeded()
    starts = [random_start(labels, (8, 8, 8), rng, foreground_share=0.4) for _ in range(300)]
    assert 0.3 < sum(start == (7, 19, 26) for start in starts) / 300 < 0.5


def test_every_labelled_voxel_is_a_centre_as_often_as_any_other():
    labels, rng = torch.zeros(9, 9, 9, dtype=torch.uint8), seeded()
    places = [(2, 3, 4), (2, 3, 5), (6, 4, 4)]
    for place in places:
        labels[place] = 3
    starts = [random_start(labels, (1, 1, 1), rng, foreground_share=1.0) for _ in range(300)]
    assert all(70 < starts.count(place) < 130 for place in places)
    assert len(set(starts)) == 3


def test_patches_lie_in_the_volume_and_reach_both_its_ends():
    labels = torch.zeros(10, 9, 8, dtype=torch.uint8)
    labels[0, 0, 0] = labels[9, 8, 7] = 1
    rng = seeded()
    starts = [
        random_start(labels, (8, 8, 8), rng, foreground_share=share)
        for share in (0.0, 1.0)
        for _ in range(100)
    ]
    for axis, room in enumerate((2, 1, 0)):
        assert {start[axis] for start in starts} == set(range(room + 1))


def test_the_outermost_voxels_are_in_half_as_many_patches_as_the_middle_ones():
    labels, rng = torch.zeros(40, 40, 40, dtype=torch.uint8), seeded()
    starts = [random_start(labels, (8, 8, 8), rng, foreground_share=0.5)[1] for _ in range(1000)]
    outermost = sum(start == 0 for start in starts) / 1000  # centres 0 to 4 of 40: 0.125
    middle = sum(start <= 20 < start + 8 for start in starts) / 1000  # 8 of 40: 0.2
    assert 0.10 < outermost < 0.15
    assert 0.17 < middle < 0.23


def test_a_volume_without_foreground_is_cropped_anywhere(image, labels):
    patch, patch_labels = VolumeAugment((4, 4, 4), 1.0)(image, labels * 0, seeded())
    assert patch.shape == (2, 4, 4, 4)
    assert patch_labels.sum() == 0


def test_a_volume_smaller_than_the_patch_gets_zeros_on_both_sides(image, labels):
    patch, patch_labels = VolumeAugment((24, 8, 16))(image + 5, labels, seeded())
    assert patch.shape == (2, 24, 8, 16)
    assert patch_labels.shape == (24, 8, 16)
    assert (patch[:, :2] == 0).all()
    assert (patch[:, -2:] == 0).all()
    assert (patch[0, 2:-2] >= 5).all()


def test_a_turn_of_nothing_is_a_crop(image, labels):
    start, patch = (3, 2, 5), (8, 7, 6)
    turned, turned_labels = turned_crop(image, labels, start, patch, torch.eye(3))
    plain, plain_labels = crop(image, labels, start, patch)
    torch.testing.assert_close(turned, plain, rtol=0, atol=1e-5)
    assert torch.equal(turned_labels, plain_labels)


@pytest.mark.parametrize("start", [(6, 5, 5), (0, 0, 0)])
def test_a_turned_patch_equals_scipys_affine_transform(image, labels, start):
    turn = random_turn(seeded(1), rotate_degrees=40, scale=0.3)
    patch = (8, 7, 6)
    turned, turned_labels = turned_crop(image, labels, start, patch, turn)
    half = (torch.tensor(patch) - 1) / 2
    offset = torch.tensor(start) + half - turn @ half
    for channel in (0, 1):
        expected = ndimage.affine_transform(
            image[channel].double().numpy(), turn.numpy(), offset.numpy(), patch, order=1, mode="nearest"
        )
        torch.testing.assert_close(turned[channel].double(), torch.from_numpy(expected), rtol=0, atol=1e-4)
    nearest = ndimage.affine_transform(
        labels.numpy(), turn.numpy(), offset.numpy(), patch, order=0, mode="nearest"
    )
    assert (turned_labels.numpy() == nearest).mean() > 0.99


@pytest.mark.parametrize("shape", [(70, 60, 9), (12, 1, 70)])
def test_a_turn_in_several_blocks_equals_scipys_affine_transform(shape):
    image = torch.randn(2, *shape, generator=seeded())
    image[:, :20] = 0  # whole blocks of it are empty
    labels = (image[0] > 1).to(torch.uint8)
    turn = random_turn(seeded(1), rotate_degrees=40, scale=0.3)
    patch = (BLOCK + 7, 2 * BLOCK, 8)
    turned, turned_labels = turned_crop(image, labels, (2, -3, 0), patch, turn)
    half = (torch.tensor(patch) - 1) / 2
    where = {"matrix": turn.numpy(), "output_shape": patch, "mode": "nearest"}
    where["offset"] = (torch.tensor((2, -3, 0)) + half - turn @ half).numpy()
    for channel in (0, 1):
        expected = ndimage.affine_transform(image[channel].double().numpy(), order=1, **where)
        torch.testing.assert_close(turned[channel].double(), torch.from_numpy(expected), rtol=0, atol=1e-4)
    nearest = ndimage.affine_transform(labels.numpy(), order=0, **where)
    assert (turned_labels.numpy() == nearest).mean() > 0.99


def test_turns_are_rotations_times_a_scale_within_their_bounds():
    rng = seeded()
    for _ in range(50):
        turn = random_turn(rng, rotate_degrees=20, scale=0.1)
        scale = turn.det() ** (1 / 3)
        assert 0.9 <= scale <= 1.1
        torch.testing.assert_close(turn @ turn.T, scale**2 * torch.eye(3), rtol=0, atol=1e-5)
    assert torch.equal(random_turn(rng, rotate_degrees=0, scale=0), torch.eye(3))


def test_labels_keep_their_type_and_no_new_label_appears(image, labels):
    rng = seeded()
    for _ in range(10):
        _, patch_labels = VolumeAugment((12, 12, 12), 1.0, affine=1, rotate_degrees=45)(image, labels, rng)
        assert patch_labels.dtype == torch.uint8
        assert set(patch_labels.unique().tolist()) <= {0, 2, 3}


@pytest.mark.parametrize("change", INTENSITIES)
def test_intensities_change_with_strength_and_not_without(image, change):
    assert torch.equal(change(image, seeded(), strength=0.0), image)
    weak, strong = (change(image, seeded(), strength=strength) - image for strength in (0.05, 0.2))
    assert 0 < weak.abs().mean() < strong.abs().mean()
    assert torch.isfinite(strong).all()


@pytest.mark.parametrize("change", INTENSITIES)
def test_intensities_changed_in_place_are_the_same_and_others_leave_the_image_alone(image, change):
    before = image.clone()
    changed = change(image, seeded(), strength=0.2)
    assert torch.equal(image, before)
    assert change(image, seeded(), strength=0.2, out=image) is image
    assert torch.equal(image, changed)


def test_gamma_is_the_power_of_the_share_of_the_range(image):
    exponent = (0.3 * (2 * torch.rand(2, 1, 1, 1, generator=seeded()) - 1)).exp()
    low, high = (f(image, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    expected = ((image - low) / (high - low)).pow(exponent) * (high - low) + low
    torch.testing.assert_close(random_gamma(image, seeded(), strength=0.3), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("change", INTENSITIES)
def test_an_empty_channel_stays_finite(change):
    assert torch.isfinite(change(torch.full((2, 4, 4, 4), 3.0), seeded(), strength=0.3)).all()


@pytest.mark.parametrize("change", [random_bias_field, random_gamma])
def test_the_background_at_the_minimum_stays_where_it_is(image, change):
    image = image.abs() + 1
    image[:, :5] = -2.0
    torch.testing.assert_close(change(image, seeded(), strength=0.3)[:, :5], image[:, :5], rtol=0, atol=1e-6)


def test_gamma_keeps_the_range_and_the_order_of_values(image):
    changed = random_gamma(image, seeded(), strength=0.5)
    torch.testing.assert_close(changed.amin(dim=(1, 2, 3)), image.amin(dim=(1, 2, 3)))
    torch.testing.assert_close(changed.amax(dim=(1, 2, 3)), image.amax(dim=(1, 2, 3)))
    order = image[1].flatten().argsort()
    assert (changed[1].flatten()[order].diff() >= 0).all()


def test_a_bias_field_is_smooth_and_within_its_strength():
    field = random_bias_field(torch.ones(1, 32, 32, 32) * torch.tensor(1.0), seeded(), strength=0.4)
    assert torch.equal(field, torch.ones_like(field))  # a flat channel has no height above its minimum
    ramp = torch.ones(1, 32, 32, 32)
    ramp[0, 0, 0, 0] = 0
    logarithm = random_bias_field(ramp, seeded(), strength=0.4)[0, 1:].log()
    assert logarithm.abs().max() <= 0.4 + 1e-5
    assert logarithm.std() > 0.005
    assert logarithm.diff(dim=0).abs().max() < 0.1


def test_noise_is_at_most_as_strong_as_told():
    image = torch.randn(50, 8, 8, 8, generator=seeded(1))
    share = (random_noise(image, seeded(), strength=0.2) - image).std(dim=(1, 2, 3)) / image.std(
        dim=(1, 2, 3)
    )
    assert share.max() < 0.23
    assert 0.07 < share.mean() < 0.13  # uniform in [0, 0.2]
