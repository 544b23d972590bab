import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

from brainseg.metrics import hd95_mm, mean_surface_distance_mm


def test_two_voxels_are_as_far_apart_as_their_centres():
    truth, guess = np.zeros((2, 9, 9, 9), dtype=bool)
    truth[1, 1, 1] = guess[4, 5, 1] = True
    for distance in (hd95_mm, mean_surface_distance_mm):
        assert distance(truth, guess, (1, 1, 1)) == pytest.approx(5)  # 3, 4, 0
        assert distance(truth, guess, (2, 1, 1)) == pytest.approx(np.sqrt(36 + 16))


def test_the_mean_is_over_the_voxels_of_both_surfaces():
    truth, guess = np.zeros((2, 9, 9, 9), dtype=bool)
    truth[1, 1, 1] = True
    guess[1, 1, 1] = guess[5, 1, 1] = True  # 0 and 4 to the truth; the truth's own voxel 0
    assert mean_surface_distance_mm(truth, guess, (1, 1, 1)) == pytest.approx(4 / 3)


@pytest.mark.parametrize("distance", [hd95_mm, mean_surface_distance_mm])
def test_empty_masks_score_as_in_brats(distance, cube):
    empty, full = np.zeros((20, 18, 16), dtype=bool), cube(side=4)
    assert distance(empty, empty, (1, 1, 1)) == 0
    assert distance(full, empty, (1, 1, 1)) == 373.13
    assert distance(empty, full, (1, 1, 1)) == 373.13
    assert distance(full, full, (1, 1, 1)) == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 3.0)])
@pytest.mark.parametrize("seed", range(3))
def test_distances_equal_monais(blobs, seed, spacing):
    truth, guess = blobs(seed), blobs(seed + 100)  # both reach the edge of the volume
    tensors = [torch.from_numpy(mask)[None, None] for mask in (guess, truth)]
    hd95 = compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing)
    mean = compute_average_surface_distance(
        *tensors, include_background=True, symmetric=True, spacing=spacing
    )
    assert hd95_mm(truth, guess, spacing) == pytest.approx(hd95.item(), rel=1e-5)
    assert mean_surface_distance_mm(truth, guess, spacing) == pytest.approx(mean.item(), rel=1e-5)


def test_distances_do_not_depend_on_which_mask_is_the_truth(blobs):
    truth, guess = blobs(0), blobs(1)
    assert hd95_mm(truth, guess, (1, 2, 3)) == pytest.approx(hd95_mm(guess, truth, (1, 2, 3)))


def test_masks_of_other_shapes_are_refused(cube):
    with pytest.raises(ValueError, match="masks must share one grid"):
        hd95_mm(cube(4), cube(4)[1:], (1, 1, 1))
