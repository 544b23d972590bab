import pytest
import torch

from brainseg.augment import SliceAugment

EVERYTHING = SliceAugment(
    flip=0.5, rotate_degrees=15, scale=0.1, shift=0.05, contrast=0.2, brightness=0.1, noise=0.1
)


def seeded(seed: int = 0, count: int = 4) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + 1000 * i) for i in range(count)]


@pytest.fixture
def slices() -> torch.Tensor:
    """Four smooth grey images (4, 3, 32, 32), a bright spot left of and above the middle."""
    row, column = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    spot = torch.exp(-((row - 10) ** 2 + (column - 7) ** 2) / 20)
    return spot.expand(4, 3, 32, 32).clone()


def spot(slices: torch.Tensor) -> torch.Tensor:
    """Rows and columns (B, 2) of the brightest pixels."""
    return torch.stack(torch.unravel_index(slices[:, 0].flatten(1).argmax(dim=1), slices.shape[2:]), dim=1)


def test_the_same_seed_gives_the_same_slices_and_another_seed_others(slices):
    first, second, third = (EVERYTHING(slices, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_nothing_changes_when_all_strengths_are_zero(slices):
    assert torch.equal(SliceAugment()(slices, seeded()), slices)


def test_the_argument_is_not_changed(slices):
    before = slices.clone()
    EVERYTHING(slices, seeded())
    assert torch.equal(slices, before)


def test_each_slice_of_a_batch_gets_its_own_change(slices):
    changed = EVERYTHING(slices, seeded())
    assert len({tuple(image.flatten().tolist()) for image in changed}) == 4


def test_the_three_channels_stay_one_grey_image(slices):
    changed = EVERYTHING(slices, seeded())
    torch.testing.assert_close(changed[:, 0], changed[:, 1], rtol=0, atol=1e-6)
    torch.testing.assert_close(changed[:, 0], changed[:, 2], rtol=0, atol=1e-6)


def test_a_slice_is_changed_as_its_own_generator_says_whatever_the_batch(slices):
    together = EVERYTHING(slices, seeded())
    alone = [EVERYTHING(image[None], [own])[0] for image, own in zip(slices, seeded(), strict=True)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rotate_degrees", [0.0, 1e-9])  # the plain mirror, and the one by interpolation
def test_a_flip_changes_left_and_right_only(slices, rotate_degrees):
    flipped = SliceAugment(flip=1.0, rotate_degrees=rotate_degrees)(slices, seeded())
    torch.testing.assert_close(flipped, slices.flip(-1), rtol=0, atol=1e-5)


def test_shifts_and_turns_stay_within_their_bounds(slices):
    moved = spot(SliceAugment(shift=0.1)(slices.repeat(20, 1, 1, 1), seeded(count=80))) - torch.tensor(
        [10, 7]
    )
    assert moved.abs().max() <= 4  # a tenth of 32 pixels, rounded up
    assert moved.abs().max() >= 2
    turned = spot(SliceAugment(rotate_degrees=20)(slices.repeat(20, 1, 1, 1), seeded(count=80))) - 15.5
    before = torch.tensor([10 - 15.5, 7 - 15.5])
    angles = torch.rad2deg(torch.atan2(turned[:, 0], turned[:, 1]) - torch.atan2(before[0], before[1]))
    angles = (angles + 180) % 360 - 180
    assert angles.abs().max() < 25  # a pixel at that radius spans 6 degrees
    assert angles.abs().max() > 10


def test_tone_is_relative_to_each_slices_own_spread(slices):
    tone = SliceAugment(contrast=0.2, brightness=0.1, noise=0.1)
    changed, scaled = tone(slices, seeded()), tone(100 * slices - 7, seeded())
    torch.testing.assert_close(scaled, 100 * changed - 7, rtol=1e-4, atol=1e-3)


def test_the_strength_of_one_change_does_not_move_the_draws_of_the_others(slices):
    shifted = SliceAugment(shift=0.1)(slices, seeded())
    also_toned = SliceAugment(shift=0.1, brightness=0.2)(slices, seeded())
    assert torch.equal(spot(shifted), spot(also_toned))
