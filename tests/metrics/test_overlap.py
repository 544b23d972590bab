import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou

from brainseg.metrics.overlap import dice, iou, sensitivity, soft_dice, soft_iou, specificity

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "binary_losses.json").read_text())["vectors"]


def test_dice_of_cubes_that_share_half_their_volume_is_one_half(cube):
    truth, guess = cube(side=4), cube(side=4, shifted=2)  # along one axis: they share 2 of 4 layers
    assert dice(truth, guess) == pytest.approx(0.5)
    assert iou(truth, guess) == pytest.approx(1 / 3)
    assert sensitivity(truth, guess) == pytest.approx(0.5)
    outside = 20 * 18 * 16 - 64
    assert specificity(truth, guess) == pytest.approx((outside - 32) / outside)


def test_sensitivity_asks_what_of_the_truth_was_found_and_not_the_reverse(cube):
    small, large = cube(side=2), cube(side=4)
    assert sensitivity(truth=small, guess=large) == 1
    assert sensitivity(truth=large, guess=small) == 8 / 64


@pytest.mark.parametrize("score", [dice, iou, sensitivity])
def test_empty_masks_score_as_in_brats(score, cube):
    empty, full = np.zeros((20, 18, 16), dtype=bool), cube(side=4)
    assert score(empty, empty) == 1
    assert score(full, empty) == 0
    assert score(empty, full) == 0


def test_specificity_of_a_truth_that_fills_the_volume_is_one():
    assert specificity(np.ones((2, 2, 2), dtype=bool), np.zeros((2, 2, 2), dtype=bool)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_dice_and_iou_equal_monais_and_each_other(blobs, seed):
    truth, guess = blobs(seed), blobs(seed + 100)
    tensors = [torch.from_numpy(mask)[None, None] for mask in (guess, truth)]
    assert dice(truth, guess) == pytest.approx(compute_dice(*tensors).item())
    assert iou(truth, guess) == pytest.approx(compute_iou(*tensors).item())
    assert iou(truth, guess) == pytest.approx(dice(truth, guess) / (2 - dice(truth, guess)))


@pytest.mark.parametrize("vector", GOLDEN)
def test_soft_scores_equal_the_original_strippers(vector):
    truth, guess = torch.tensor(GOLDEN[vector]["target"]), torch.tensor(GOLDEN[vector]["pred"])
    assert soft_dice(truth, guess).item() == pytest.approx(
        GOLDEN[vector]["expected"]["dice_metric"], rel=2e-6
    )
    assert soft_iou(truth, guess).item() == pytest.approx(GOLDEN[vector]["expected"]["iou_metric"], rel=2e-6)


def test_label_maps_and_other_shapes_are_refused():
    mask = np.zeros((2, 2, 2), dtype=bool)
    with pytest.raises(ValueError, match="truth is uint8"):
        dice(mask.astype(np.uint8), mask)
    with pytest.raises(ValueError, match=r"guess bool \(2, 2\)"):
        dice(mask, mask[0])
