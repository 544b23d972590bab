"""What stripping leaves is the brain, but for its edge."""

import numpy as np
import pytest
from scipy import ndimage

from brainseg.metrics import dice
from brainseg.phantom import make_subject
from brainseg.phantom.stripping import cut_out


@pytest.fixture(scope="module")
def subject():
    return make_subject(3, tumor_type="meningioma", spacing_mm=3.0)


def test_the_edge_is_off_by_a_few_millimetres_at_most(subject):
    for seed in range(5):
        kept = cut_out(subject, seed)
        too_wide = ndimage.distance_transform_edt(~subject.brain, sampling=3.0)[kept & ~subject.brain]
        too_tight = ndimage.distance_transform_edt(subject.brain, sampling=3.0)[subject.brain & ~kept]
        assert max(too_wide.max(initial=0), too_tight.max(initial=0)) <= 6.0  # two voxels
        assert 0.9 < dice(subject.brain, kept) < 0.999


def test_no_tumour_is_lost(subject):
    assert all(cut_out(subject, seed)[subject.labels > 0].all() for seed in range(5))


def test_another_seed_errs_elsewhere_and_the_same_one_alike(subject):
    np.testing.assert_array_equal(cut_out(subject, 1), cut_out(subject, 1))
    assert (cut_out(subject, 1) != cut_out(subject, 2)).any()


def test_a_margin_moves_the_edge_outwards_by_as_much(subject):
    around = cut_out(subject, 1, margin_mm=9.0)
    beyond_mm = ndimage.distance_transform_edt(~subject.brain, sampling=3.0)[around & ~subject.brain]
    assert 9.0 <= beyond_mm.max() <= 15.0
    assert around[subject.brain].all()
