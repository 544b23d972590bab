import numpy as np
import pytest

from brainseg.config.errors import ConfigError, ImageError
from brainseg.inference import combine_votes, vote_slices

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
OFFSETS_MM = (0.0, 5.0, 10.0, 15.0, 20.0)  # of the student report


@pytest.fixture
def volume():
    return np.arange(60 * 70 * 50, dtype=np.float32).reshape(60, 70, 50)


def test_nine_slices_per_plane_at_the_reports_distances(volume):
    slices = vote_slices(volume, (30, 35, 25), (1, 1, 1), OFFSETS_MM)
    assert len(slices) == 27
    for plane, middle in (("sagittal", 30), ("coronal", 35), ("axial", 25)):
        indices = [s.index - middle for s in slices if s.plane == plane]
        assert indices == [0, 5, -5, 10, -10, 15, -15, 20, -20]
        assert [s.offset_mm for s in slices if s.plane == plane] == indices


def test_offsets_are_millimetres(volume):
    slices = vote_slices(volume, (30, 35, 25), (2.0, 1.0, 0.5), offsets_mm=(0, 10))
    indices = [(s.plane, s.index) for s in slices]
    assert indices == [
        ("sagittal", 30), ("sagittal", 35), ("sagittal", 25),
        ("coronal", 35), ("coronal", 45), ("coronal", 25),
        ("axial", 25), ("axial", 45), ("axial", 5),
    ]  # fmt: skip


def test_slices_outside_the_volume_are_not_invented():
    slices = vote_slices(np.zeros((60, 60, 30)), (30, 30, 15), (1, 1, 1), OFFSETS_MM)
    assert [s.index for s in slices if s.plane == "axial"] == [
        15,
        20,
        10,
        25,
        5,
        0,
    ]  # 30, 35 and -5 do not exist
    assert len(slices) == 9 + 9 + 6


def test_one_slice_votes_once_however_coarse_the_spacing():
    slices = vote_slices(np.zeros((9, 9, 9)), (4, 4, 4), (20, 20, 20), OFFSETS_MM)
    assert sorted(s.index for s in slices if s.plane == "axial") == [3, 4, 5]


def test_a_centre_far_outside_is_refused():
    with pytest.raises(ImageError, match=r"no slice around voxel \(100, 100, 100\).*\(9, 9, 9\)"):
        vote_slices(np.zeros((9, 9, 9)), (100, 100, 100), (1, 1, 1), OFFSETS_MM)


def test_a_scan_is_healthy_from_the_threshold_on():
    votes = np.array([[0.0, 0.0, 1.0, 0.0], [0.05, 0.05, 0.9, 0.0]])
    verdict = combine_votes(votes, CLASSES, healthy_at=0.95)
    assert verdict.verdict == "notumor"
    assert verdict.probabilities == pytest.approx(
        {"glioma": 0.025, "meningioma": 0.025, "notumor": 0.95, "pituitary": 0}
    )
    assert verdict.n_slices == 2


def test_below_the_threshold_the_likeliest_tumour_wins_even_against_a_larger_share_of_healthy():
    votes = np.array([[0.03, 0.02, 0.94, 0.01]])
    assert combine_votes(votes, CLASSES, 0.95).verdict == "glioma"


def test_the_verdict_does_not_depend_on_the_order_of_slices_or_classes():
    votes = np.random.default_rng(0).dirichlet(np.ones(4), size=27)
    first = combine_votes(votes, CLASSES, 0.95)
    second = combine_votes(votes[::-1][:, ::-1], CLASSES[::-1], 0.95)
    assert first.verdict == second.verdict
    assert first.probabilities == pytest.approx(second.probabilities)


def test_votes_that_do_not_belong_to_the_classes_are_refused():
    with pytest.raises(ConfigError, match=r"votes of shape \(1, 3\) do not belong"):
        combine_votes(np.zeros((1, 3)), CLASSES, 0.95)
    with pytest.raises(ConfigError, match="notumor among them"):
        combine_votes(np.zeros((1, 2)), ("glioma", "healthy"), 0.95)
    with pytest.raises(ImageError, match="no slice has voted"):
        combine_votes(np.zeros((0, 4)), CLASSES, 0.95)
