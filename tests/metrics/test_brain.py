import numpy as np
import pytest

from brainseg.config.errors import GeometryError
from brainseg.metrics import brain_scores


def test_scores_by_hand():
    """A plate of 4 x 4 x 2 voxels, guessed one voxel further along X: 24 of 32 are shared."""
    truth, guess = np.zeros((2, 8, 8, 8), bool)
    truth[1:5, 2:6, 3:5] = True
    guess[2:6, 2:6, 3:5] = True
    scores = brain_scores(truth, guess, (2.0, 1.0, 1.0))
    assert scores["dice"] == 24 / 32
    assert scores["iou"] == 24 / 40
    assert scores["sensitivity"] == 24 / 32
    assert scores["specificity"] == (512 - 40) / (512 - 32)
    assert scores["volume_error"] == 0
    assert scores["hd95_mm"] == 2  # a quarter of each surface lies one voxel of 2 mm away
    assert scores["mean_surface_distance_mm"] == pytest.approx(2 * 8 / 32)


def test_a_mask_ten_percent_too_large():
    truth, guess = np.zeros((2, 30, 4, 4), bool)
    truth[:20], guess[:22] = True, True
    assert brain_scores(truth, guess, (1, 1, 1))["volume_error"] == pytest.approx(0.1)


def test_masks_that_cannot_be_compared():
    mask = np.ones((2, 2, 2), bool)
    with pytest.raises(
        GeometryError, match=r"the true mask has \(2, 2, 2\) voxels but the other \(2, 2, 3\)"
    ):
        brain_scores(mask, np.ones((2, 2, 3), bool), (1, 1, 1))
    with pytest.raises(GeometryError, match="the true mask has no voxel in it"):
        brain_scores(~mask, mask, (1, 1, 1))
