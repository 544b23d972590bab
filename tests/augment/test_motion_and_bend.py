import pytest
import torch
from scipy import ndimage

from brainseg.augment import VolumeAugment
from brainseg.augment.geometry import _spline_weights, random_bend
from brainseg.augment.motion import random_motion
from brainseg.augment.patches import turned_crop


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def blob() -> torch.Tensor:
    noise = torch.randn(2, 40, 36, 32, generator=seeded()).numpy()
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 3, 3, 3)))


def test_a_head_that_does_not_move_looks_as_it_is(blob):
    torch.testing.assert_close(random_motion(blob, seeded(), degrees=0, voxels=0), blob, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(6))
def test_motion_changes_the_image_but_not_its_mean(blob, seed):
    """The mean is the middle of k-space, and while that is measured nothing moves."""
    moved = random_motion(blob, seeded(seed), degrees=10, voxels=5)
    torch.testing.assert_close(moved.mean((1, 2, 3)), blob.mean((1, 2, 3)), atol=1e-6, rtol=0)
    assert moved.shape == blob.shape
    assert (moved - blob).abs().max() > 0.1 * blob.std()


def test_each_voxel_s_weights_sum_to_one():
    for side in (1, 31, 32, 33, 100):
        torch.testing.assert_close(_spline_weights(side).sum(1), torch.ones(side))


def test_a_bend_is_smooth_and_within_its_strength():
    bend = random_bend((80, 64, 40), seeded(), strength=4.0)
    assert bend.shape == (3, 80, 64, 40)
    assert 1.0 < bend.abs().max() <= 4.0
    assert bend.diff(n=2, dim=1).abs().max() < 4 * 4.0 / 32**2  # of a cubic B-spline: at most 4 nodes apart


def test_a_constant_bend_is_a_shift(blob):
    labels = (blob[0] > 0).to(torch.uint8)
    bend = torch.tensor([2.0, -3.0, 1.0]).view(3, 1, 1, 1).expand(3, 16, 16, 16)
    image, found = turned_crop(blob, labels, (10, 10, 8), (16, 16, 16), torch.eye(3), bend)
    torch.testing.assert_close(image, blob[:, 12:28, 7:23, 9:25], atol=1e-5, rtol=0)
    assert torch.equal(found, labels[12:28, 7:23, 9:25])


def test_labels_bend_with_the_image_and_do_not_move_in_the_scanner(blob):
    labels = (blob[0] > 0).to(torch.uint8)
    image = labels[None].float()
    bent, found = VolumeAugment((24, 24, 24), elastic=1.0, bend=5.0)(image, labels, seeded(1))
    assert ((bent[0] > 0.5) == (found > 0)).float().mean() > 0.97
    _, still = VolumeAugment(motion=1.0)(image, labels, seeded(1))
    assert torch.equal(still, labels)
