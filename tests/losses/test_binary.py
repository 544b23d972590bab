import json
import math
from pathlib import Path

import pytest
import torch

from brainseg.config.errors import ConfigError
from brainseg.losses import BinaryCrossentropy, BinaryDiceLoss, BinaryIoULoss, BinaryMSELoss, DiceBCELoss

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "binary_losses.json").read_text())["vectors"]
LOSSES = {
    "DiceLoss(smooth=1)": BinaryDiceLoss(),
    "IoULoss(smooth=1)": BinaryIoULoss(),
    "MSE": BinaryMSELoss(),
    "BCE": BinaryCrossentropy(),
}


def golden_case(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    guess = torch.tensor(GOLDEN[name]["pred"], dtype=torch.float64).reshape(2, 1, 1, 2, 2)
    mask = torch.tensor(GOLDEN[name]["target"]).reshape(2, 1, 2, 2)
    return guess.logit(), mask


@pytest.mark.parametrize("vector", GOLDEN)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_equal_the_original_strippers_with_the_batch_pooled(vector, name):
    got = LOSSES[name](*golden_case(vector)).item()
    assert got == pytest.approx(GOLDEN[vector]["expected"][name], rel=1e-9)


def test_dice_bce_is_the_weighted_sum():
    logits, mask = golden_case("H1")
    assert DiceBCELoss(bce_weight=2)(logits, mask).item() == pytest.approx(0.2 + 2 * 0.26082845247529207)


@pytest.mark.parametrize(
    ("hardest", "counted"), [(0.1, [0.25]), (0.5, [0.25, 0.5]), (0.75, [0.25, 0.5, 0.8])]
)
def test_only_the_hardest_voxels_count(hardest, counted):
    p = torch.tensor([0.5, 0.9, 0.25, 0.8]).view(1, 1, 1, 2, 2)
    got = BinaryCrossentropy(hardest)(p.logit(), torch.ones(1, 1, 2, 2))
    assert got.item() == pytest.approx(-sum(map(math.log, counted)) / len(counted))


@pytest.mark.parametrize("hardest", [0, -0.5, 1.5])
def test_what_is_no_share_of_the_voxels_is_refused(hardest):
    with pytest.raises(ConfigError, match=f"hardest={hardest} must be a share"):
        DiceBCELoss(hardest=hardest)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_masks_of_any_type_do(dtype):
    logits, mask = golden_case("H1")
    assert BinaryDiceLoss()(logits, mask.to(dtype)).item() == pytest.approx(0.2)


@pytest.mark.parametrize("loss", [*LOSSES.values(), DiceBCELoss()], ids=lambda loss: type(loss).__name__)
def test_a_million_half_precision_voxels_are_summed_in_float32(loss):
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 1, 96, 96, 96, generator=rng).bfloat16()
    mask = torch.rand(1, 96, 96, 96, generator=rng) > 0.9
    assert loss(logits, mask).dtype == torch.float32
    assert loss(logits, mask).item() == pytest.approx(loss(logits.double(), mask).item(), rel=1e-5)


def test_a_mask_with_a_channel_axis_is_refused():
    with pytest.raises(ValueError, match=r"mask is \(1, 1, 2, 2, 2\) but logits \(1, 1, 2, 2, 2\)"):
        BinaryDiceLoss()(torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2))


@pytest.mark.parametrize("loss", [*LOSSES.values(), DiceBCELoss()], ids=lambda loss: type(loss).__name__)
def test_the_true_mask_costs_least(loss):
    """Every other mask of 8 voxels costs more, and hesitating at any voxel of the true one too."""
    truth = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1]).view(1, 2, 2, 2)
    sure = (truth.float() * 2 - 1)[:, None] * 12
    least = loss(sure, truth)
    for number in range(2**8):
        other = torch.tensor([number >> bit & 1 for bit in range(8)]).view(1, 2, 2, 2)
        if not torch.equal(other, truth):
            assert loss((other.float() * 2 - 1)[:, None] * 12, truth) > least
    for voxel in range(8):
        hesitant = sure.clone()
        hesitant.view(-1)[voxel] = 0
        assert loss(hesitant, truth) > least
