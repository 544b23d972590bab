import numpy as np
import pytest
from scipy import ndimage

from brainseg.phantom.head import Pose, brain_fractions, build_head
from brainseg.phantom.subject import WHOLE_HEAD, _lattice, head_grid, make_subject

SEEDS = range(8)
NECROTIC_CORE, EDEMA, ENHANCING = 1, 2, 3


def positions_mm(subject, mask):
    return np.argwhere(mask) @ subject.grid.affine[:3, :3].T + subject.grid.affine[:3, 3]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tumor_type", ["glioma", "meningioma", "pituitary"])
def test_every_labelled_voxel_lies_in_the_brain_mask(subject, seed, tumor_type):
    s = subject(seed, tumor_type, sequences=())
    assert (s.labels == ENHANCING).any()
    assert not (s.labels > 0)[~s.brain].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_tumour_no_voxel_is_labelled(subject, seed):
    assert not subject(seed, "notumor", sequences=()).labels.any()


@pytest.mark.parametrize("seed", range(3))
def test_a_glioma_has_necrosis_within_a_rim_within_oedema(subject, seed):
    labels = subject(seed, "glioma", spacing_mm=2.0, sequences=()).labels
    assert set(np.unique(labels)) == {0, NECROTIC_CORE, EDEMA, ENHANCING}
    necrosis = labels == NECROTIC_CORE
    around_necrosis = labels[ndimage.binary_dilation(necrosis) & ~necrosis]
    assert (around_necrosis == ENHANCING).mean() > 0.9
    depth = ndimage.distance_transform_edt(labels > 0)
    assert depth[necrosis].mean() > depth[labels == ENHANCING].mean() > depth[labels == EDEMA].mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_glioma_grows_in_white_matter(subject, seed):
    s = subject(seed, "glioma", sequences=())
    head = build_head(seed, _lattice(head_grid(4.0)), WHOLE_HEAD)
    _, white = brain_fractions(head, seed)
    share = np.zeros(s.brain.shape, np.float32)
    share.ravel()[head.voxels] = white
    core = (s.labels == NECROTIC_CORE) | (s.labels == ENHANCING)
    centre = tuple(np.rint(np.argwhere(core).mean(axis=0)).astype(int))
    near = tuple(slice(c - 2, c + 3) for c in centre)
    assert share[near].max() > 0.8
    assert share[s.labels == EDEMA].mean() > share[s.brain].mean() + 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_meningioma_sits_on_the_border_of_the_brain_mask(subject, seed):
    s = subject(seed, "meningioma", sequences=())
    border = s.brain & ~ndimage.binary_erosion(s.brain)
    core = s.labels == ENHANCING
    assert (core & border).sum() >= 0.08 * core.sum()
    assert (s.labels == NECROTIC_CORE).sum() < 0.3 * core.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pituitary_tumour_lies_near_the_midline_low_and_in_one_piece(subject, seed):
    s = subject(seed, "pituitary", sequences=())
    tumor = positions_mm(s, s.labels > 0)
    brain = positions_mm(s, s.brain)
    assert abs(tumor[:, 0].mean() - brain[:, 0].mean()) < 14
    assert tumor[:, 2].mean() < np.quantile(brain[:, 2], 0.45)
    assert (s.labels == EDEMA).sum() == 0
    assert (
        ndimage.label(s.brain)[1] == 1
    )  # the mask reaches down to it, so that no stripper's rule cuts it off


def test_tumours_are_of_many_sizes(subject):
    ml = [(subject(seed, "glioma", sequences=()).labels > 0).sum() * 0.064 for seed in SEEDS]
    assert min(ml) < 40 < 90 < max(ml)


def test_a_meningioma_pushes_the_brain_aside(subject):
    """Gray matter lies deeper under the tumour than the healthy cortex of the same head did."""
    from brainseg.phantom.tumours import grow

    seed = 3
    head = build_head(seed, _lattice(head_grid(4.0)), Pose(offset_mm=WHOLE_HEAD.offset_mm))
    gray, white = brain_fractions(head, seed)
    tumor = grow(seed, head, "meningioma", gray, white)
    moved = np.sqrt((tumor.shift_mm**2).sum(axis=0))
    assert 3 < moved.max() < 20
    far = -head.brain_mm.ravel()[head.voxels] < 0.01
    assert moved[far].max() < 0.1  # nothing moves at the skull


@pytest.mark.parametrize("seed", range(6))
def test_a_cavity_is_like_csf_and_opens_to_the_surface_of_the_brain(seed):
    operated = make_subject(seed, tumor_type="glioma", spacing_mm=3.0, operated=True)
    before = make_subject(seed, tumor_type="glioma", spacing_mm=3.0)
    cavity = operated.labels == 4
    assert cavity.sum() * 0.027 > 1.0  # ml
    assert not (cavity & ~operated.brain).any()
    assert (ndimage.binary_dilation(cavity) & ~operated.brain).any()
    core_before, core = (np.isin(one.labels, (1, 3)).sum() for one in (before, operated))
    assert core < core_before
    inner = ndimage.binary_erosion(cavity)
    brain = operated.brain & (operated.labels == 0)
    mean = {name: (image[inner].mean(), image[brain].mean()) for name, image in operated.images.items()}
    assert all(mean[name][0] < 0.8 * mean[name][1] for name in ("t1", "t1ce", "flair"))
    assert mean["t2"][0] > 1.2 * mean["t2"][1]


def test_of_some_operated_heads_no_tumour_is_left():
    left = [make_subject(s, tumor_type="glioma", spacing_mm=4.0, operated=True).labels for s in range(12)]
    whole = [int(np.isin(one, (1, 2, 3)).sum()) for one in left]
    assert 0 < whole.count(0) < 6
    assert all((one == 4).any() for one in left)
