import time

import pytest
import torch
from scipy import ndimage

from brainseg.losses import DiceBCEDistanceLoss, DiceBCELoss, SignedDistanceLoss
from brainseg.losses.distance import distance_to_border, signed_distance


def blobs(rng, shape=(2, 15, 12, 9)) -> torch.Tensor:
    """Masks with edges everywhere, holes and islands."""
    noise = torch.randn(shape, generator=rng)[:, None]
    return torch.nn.functional.avg_pool3d(noise, 3, stride=1, padding=1)[:, 0] > 0.15


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 3.5)])
@pytest.mark.parametrize("limit", [4.0, 100.0])
def test_the_signed_distance_is_scipys(rng, spacing, limit):
    masks = blobs(rng)
    for mask, got in zip(masks.numpy(), signed_distance(masks, spacing, limit), strict=True):
        inside, outside = (ndimage.distance_transform_edt(m, spacing) for m in (mask, ~mask))
        expected = (inside - outside).clip(-limit, limit)
        torch.testing.assert_close(got.double(), torch.from_numpy(expected), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("spacing", "limit"), [((2.0,) * 3, 10.0), ((1.0,) * 3, 15.0), ((1.0,) * 3, 16.0), ((0.7,) * 3, 10.4)]
)
def test_the_distance_is_the_same_by_bytes_and_by_floats(rng, spacing, limit):
    """Up to 15 voxels squares fit a byte; thin masks, and those without an edge, are no exception."""
    masks = torch.zeros(3, 40, 5, 37, dtype=torch.bool)
    masks[0, 3:6, 2:, 7:30] = True
    masks[1] = torch.rand(masks[1].shape, generator=rng) > 0.999
    by_bytes = signed_distance(masks, spacing, limit)
    almost = tuple(step * (1 + 1e-7 * axis) for axis, step in enumerate(spacing))  # no longer equal: floats
    torch.testing.assert_close(by_bytes, signed_distance(masks, almost, limit), rtol=1e-6, atol=1e-6)


def test_the_distances_of_a_patch_cost_few_of_its_gradient_s_passes():
    """In the time of one thread, so that a busy machine does not matter: that of 20 exponentials."""
    masks = torch.zeros(4, 64, 64, 64, dtype=torch.bool)
    masks[:, 10:50, 20:60, 5:44] = True
    voxels = torch.randn(masks.shape)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = least_seconds(lambda: signed_distance(masks, (2.0, 2.0, 2.0), 10.0))
        assert ours < 20 * least_seconds(lambda: voxels.exp())
    finally:
        torch.set_num_threads(before)


def least_seconds(work) -> float:
    def once() -> float:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun

    return min(once() for _ in range(7))


def test_a_mask_without_edge_is_as_far_as_the_limit():
    assert (signed_distance(torch.ones(1, 3, 3, 3, dtype=torch.bool), (1, 1, 1), 7.5) == 7.5).all()
    assert (signed_distance(torch.zeros(1, 3, 3, 3, dtype=torch.bool), (1, 1, 1), 7.5) == -7.5).all()


def test_the_border_is_one_voxel_beyond_the_outermost():
    assert distance_to_border((5, 9, 9), (1.0, 2.0, 2.0))[:, 4, 4].tolist() == [1, 2, 3, 2, 1]
    assert distance_to_border((5, 9, 9), (4.0, 2.0, 2.0))[2, :, 4].tolist() == [2, 4, 6, 8, 10, 8, 6, 4, 2]


@pytest.mark.parametrize("limit", [3.0, 100.0])
def test_the_true_distance_costs_nothing_and_its_negative_much(rng, limit):
    mask = blobs(rng)
    truth = signed_distance(mask, (1, 1, 2), 100)[:, None]
    loss = SignedDistanceLoss((1, 1, 2), limit)
    assert loss(truth, mask).item() == 0
    assert loss(-truth, mask).item() > 1


def half_brain() -> torch.Tensor:
    """Left half: the edge lies between the planes 19 and 20 of 40; the other axes are too long to matter."""
    mask = torch.zeros(1, 40, 41, 41, dtype=torch.bool)
    mask[:, :20] = True
    return mask


def cost_of_one_voxel(plane: int, guess: float, limit: float = 5.0) -> float:
    """The loss in mm^2 that one voxel of the row in the middle adds, all others being right."""
    mask = half_brain()
    logits = signed_distance(mask, (1, 1, 1), 100)[:, None].clone()
    logits[0, 0, plane, 20, 20] = guess
    return SignedDistanceLoss((1, 1, 1), limit)(logits, mask).item() * mask.numel()


@pytest.mark.parametrize(
    ("plane", "guess", "cost"),
    [
        (19, 1.0, 0),  # one voxel from the other side
        (19, -1.0, 4),  # on the wrong side by 2 mm
        (17, 5.0, 4),  # 3 mm deep, taken for 5
        (22, -5.0, 4),
        (12, 7.5, 0),  # 8 mm deep, beyond the limit: it only has to be at least 5
        (12, 4.0, 1),
        (2, 3.0, 0),  # 3 mm from the patch's border: anything from there on may be true
        (2, 9.0, 0),
        (2, 1.0, 4),
    ],
)
def test_what_a_voxel_costs(plane, guess, cost):
    assert cost_of_one_voxel(plane, guess) == pytest.approx(cost, abs=1e-3)


def test_near_the_border_the_edge_within_the_patch_still_bounds_the_distance():
    mask = torch.zeros(1, 40, 9, 9, dtype=torch.bool)
    mask[:, :3] = True  # edge 1 to 3 mm from the voxels, border 1 to 3 mm too
    logits = signed_distance(mask, (1, 1, 1), 100)[:, None].clone()
    logits[0, 0, 0, 4, 4] = 2.0  # 3 mm from the edge, 1 mm from the border: 1 to 3 mm may be true
    assert SignedDistanceLoss((1, 1, 1), 5)(logits, mask).item() == 0
    logits[0, 0, 0, 4, 4] = 5.0
    assert SignedDistanceLoss((1, 1, 1), 5)(logits, mask).item() * mask.numel() == pytest.approx(4, abs=1e-3)


def test_twice_the_spacing_is_four_times_the_cost_of_a_wrong_side():
    mask = half_brain()
    truth = signed_distance(mask, (1, 1, 1), 100)[:, None]
    small, large = SignedDistanceLoss((1, 1, 1), 100), SignedDistanceLoss((2, 2, 2), 100)
    assert large(-2 * truth, mask).item() == pytest.approx(4 * small(-truth, mask).item())


def test_the_sum_with_dice_and_crossentropy(rng):
    mask, logits = blobs(rng), torch.randn(2, 1, 15, 12, 9, generator=rng)
    got = DiceBCEDistanceLoss((1, 1, 2), limit_mm=6, distance_weight=0.3, hardest=0.2)(logits, mask)
    expected = DiceBCELoss(hardest=0.2)(logits, mask) + 0.3 * SignedDistanceLoss((1, 1, 2), 6)(logits, mask)
    torch.testing.assert_close(got, expected)


def test_half_precision_logits_cost_the_same_in_float32(rng):
    mask, logits = blobs(rng), torch.randn(2, 1, 15, 12, 9, generator=rng).bfloat16()
    loss = SignedDistanceLoss((1, 1, 1))
    assert loss(logits, mask).dtype == torch.float32
    torch.testing.assert_close(loss(logits, mask), loss(logits.float(), mask))


def test_descending_the_loss_finds_the_mask():
    mask = half_brain()
    logits = torch.zeros(1, 1, *mask.shape[1:], requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=mask.numel() / 4)
    for _ in range(30):
        optimizer.zero_grad()
        SignedDistanceLoss((1, 1, 1))(logits, mask).backward()
        optimizer.step()
    assert torch.equal(logits[:, 0] > 0, mask)
