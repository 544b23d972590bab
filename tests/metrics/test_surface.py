import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

from brainseg.metrics.surface import surface_scores


def test_two_voxels_are_as_far_apart_as_their_centres():
    truth, guess = np.zeros((2, 9, 9, 9), dtype=bool)
    truth[1, 1, 1] = guess[4, 5, 1] = True
    assert surface_scores(truth, guess, (1, 1, 1)) == pytest.approx((5, 5))  # 3, 4, 0
    assert surface_scores(truth, guess, (2, 1, 1)) == pytest.approx([np.sqrt(36 + 16)] * 2)


def test_the_mean_is_over_the_voxels_of_both_surfaces():
    truth, guess = np.zeros((2, 9, 9, 9), dtype=bool)
    truth[1, 1, 1] = True
    guess[1, 1, 1] = guess[5, 1, 1] = True  # 0 and 4 to the truth; the truth's own voxel 0
    assert surface_scores(truth, guess, (1, 1, 1)).mean_distance_mm == pytest.approx(4 / 3)


@pytest.mark.parametrize("place", [0, 1])  # HD95, mean distance
def test_empty_masks_score_as_in_brats(place, cube):
    empty, full = np.zeros((20, 18, 16), dtype=bool), cube(side=4)
    assert surface_scores(empty, empty, (1, 1, 1))[place] == 0
    assert surface_scores(full, empty, (1, 1, 1))[place] == 373.13
    assert surface_scores(empty, full, (1, 1, 1))[place] == 373.13
    assert surface_scores(full, full, (1, 1, 1))[place] == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 3.0)])
@pytest.mark.parametrize("seed", range(3))
def test_distances_equal_monais(blobs, seed, spacing):
    truth, guess = blobs(seed), blobs(seed + 100)  # both reach the edge of the volume
    tensors = [torch.from_numpy(mask)[None, None] for mask in (guess, truth)]
    hd95 = compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing)
    mean = compute_average_surface_distance(
        *tensors, include_background=True, symmetric=True, spacing=spacing
    )
    assert surface_scores(truth, guess, spacing) == pytest.approx((hd95.item(), mean.item()), rel=1e-5)


def test_distances_do_not_depend_on_which_mask_is_the_truth(blobs):
    truth, guess = blobs(0), blobs(1)
    assert surface_scores(truth, guess, (1, 2, 3)) == pytest.approx(surface_scores(guess, truth, (1, 2, 3)))


def test_masks_of_other_shapes_are_refused(cube):
    with pytest.raises(ValueError, match="masks must share one grid"):
        surface_scores(cube(4), cube(4)[1:], (1, 1, 1))
