"""Losses of regions that lie one within the other, and of several resolutions at once."""

import math

import pytest
import torch
from monai.losses import DiceLoss as MonaiDiceLoss
from monai.losses import FocalLoss as MonaiFocalLoss
from monai.losses import TverskyLoss as MonaiTverskyLoss
from torch.nn import functional as F

from brainseg.losses import RegionDiceBCELoss, RegionDiceFocalLoss, deeply_supervised
from brainseg.losses.regions import region_masks

LABELS = torch.tensor([0, 1, 2, 3]).view(1, 4, 1, 1)  # background, necrotic core, edema, enhancing tumour


def test_each_region_holds_the_classes_that_the_challenges_say():
    whole, core, enhancing = region_masks(LABELS)[0].flatten(1).tolist()
    assert whole == [False, True, True, True]
    assert core == [False, True, False, True]
    assert enhancing == [False, False, False, True]


def test_the_loss_of_an_undecided_network_can_be_worked_out_by_hand():
    # p = 1/2 in 4 voxels; of the regions 3, 2 and 1 are true. With 1 above and below, Dice is
    # (2 * 3/2 + 1) / (2 + 3 + 1), (2 + 1) / (2 + 2 + 1), (1 + 1) / (2 + 1 + 1); the crossentropy is log 2.
    expected = 1 - (4 / 6 + 3 / 5 + 2 / 4) / 3 + math.log(2)
    assert float(RegionDiceBCELoss()(torch.zeros(1, 3, 4, 1, 1), LABELS)) == pytest.approx(expected)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(2, 3, 5, 4, 6, generator=draw, dtype=torch.float64)
    return logits, torch.randint(0, 4, (2, 5, 4, 6), generator=draw)


def test_the_terms_are_those_of_other_implementations(batch):
    logits, labels = batch
    masks = region_masks(labels).double()
    theirs = MonaiDiceLoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)(logits, masks)
    bce = F.binary_cross_entropy_with_logits(logits, masks)
    torch.testing.assert_close(RegionDiceBCELoss(bce_weight=0.7)(logits, labels), theirs + 0.7 * bce)
    focal = MonaiFocalLoss(gamma=2.0)(logits, masks)
    torch.testing.assert_close(RegionDiceFocalLoss(focal_weight=0.7)(logits, labels), theirs + 0.7 * focal)


def test_the_share_of_what_is_missed_is_that_of_the_tversky_index(batch):
    logits, labels = batch
    masks = region_masks(labels).double()
    of = {"sigmoid": True, "batch": True, "smooth_nr": 0.5, "smooth_dr": 0.5}  # theirs are halves of ours
    theirs = MonaiTverskyLoss(alpha=0.25, beta=0.75, **of)(logits, masks)
    torch.testing.assert_close(RegionDiceBCELoss(bce_weight=0.0, missed=0.75)(logits, labels), theirs)


def test_without_gamma_the_focal_loss_is_the_crossentropy(batch):
    torch.testing.assert_close(RegionDiceFocalLoss(gamma=0.0)(*batch), RegionDiceBCELoss()(*batch))


@pytest.mark.parametrize("loss", [RegionDiceBCELoss(), RegionDiceFocalLoss()])
def test_the_loss_is_least_at_the_truth(loss, batch):
    labels = batch[1]
    truth = 20 * (2 * region_masks(labels).double() - 1)
    assert float(loss(truth, labels)) == pytest.approx(0, abs=1e-6)
    wrong = truth.clone()
    wrong[0, 1, 2, 2, 2] *= -1
    assert float(loss(wrong, labels)) > 0.001


def test_two_logits_for_three_regions_are_refused():
    with pytest.raises(ValueError, match="need one logit for each of whole_tumor, tumor_core, enhancing_tum"):
        RegionDiceBCELoss()(torch.zeros(1, 2, 4, 1, 1), LABELS)


def test_a_coarser_answer_counts_half_as_much_as_the_finer_one():
    answers = torch.stack([torch.full((1, 3, 2, 2, 2), value) for value in (1.0, 10.0, 100.0)], dim=1)
    total = deeply_supervised(lambda logits, labels: logits.mean(), answers, torch.zeros(1, 2, 2, 2))
    assert float(total) == pytest.approx((1 + 10 / 2 + 100 / 4) / (1 + 1 / 2 + 1 / 4))


def test_a_fourth_logit_is_of_the_cavity_which_lies_outside_of_the_tumour():
    labels = torch.tensor([0, 1, 2, 3, 4]).view(1, 5, 1, 1)
    *tumor, cavity = region_masks(labels, cavity=True)[0].flatten(1)
    assert cavity.tolist() == [False, False, False, False, True]
    assert not any((one & cavity).any() for one in tumor)
    # As above with 5 voxels; p = 1/2, and of the regions 3, 2, 1 and 1 are true.
    dices = (2 * 3 / 2 + 1) / 6.5, (2 + 1) / 5.5, (1 + 1) / 4.5, (1 + 1) / 4.5
    expected = 1 - sum(dices) / 4 + math.log(2)
    assert float(RegionDiceBCELoss()(torch.zeros(1, 4, 5, 1, 1), labels)) == pytest.approx(expected)
