"""What a network is shown of a scan, and where its answer counts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brainseg.config.choices import Blend, Crop, Intensity
from brainseg.config.errors import ImageError
from brainseg.config.training import VolumePreprocess
from brainseg.images.volume import Grid, Volume
from brainseg.inference import Cleaning, Windows, classes_of_regions
from brainseg.prediction.scans import Scans
from brainseg.prediction.segment import segment, untold_regions
from brainseg.prediction.shown import usable_sequences
from brainseg.prediction.strip import NetworkStripper, strip
from brainseg.preprocess.volumes import prepare_volume

WINDOWS = Windows(overlap=0.5, blend=Blend.gaussian, batch_size=1)
GRID = Grid((16, 16, 16), np.diag([2.0, 2.0, 2.0, 1.0]))


def finds_edema_everywhere(margin_mm: float) -> SimpleNamespace:
    preprocess = VolumePreprocess(["t1"], None, Intensity.zscore_nonzero, Crop.nonzero)
    return SimpleNamespace(
        config=SimpleNamespace(preprocess=preprocess, margin_mm=margin_mm),
        device=torch.device("cpu"),
        computing=None,
        facts={},
        subsets=[],
        has_regions=True,
        cavity=False,
        members=[SimpleNamespace(device=torch.device("cpu"), computing=None)],
        temperatures={},
        cleaning=Cleaning(),
        probabilities=lambda image, *_, **__: (
            torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1, 1).expand(3, *image.shape[1:])
        ),
        decided=classes_of_regions,
        regions=lambda probabilities: probabilities,
    )


@pytest.fixture
def scans() -> Scans:
    """A head of 12 voxels a side; around it exactly 0, as stripping leaves it."""
    image = np.zeros((1, 16, 16, 16), np.float32)
    image[0, 2:14, 2:14, 2:14] = np.random.default_rng(0).uniform(1, 2, (12, 12, 12))
    return Scans({"t1": Volume(image, GRID)}, "t1")


@pytest.mark.parametrize("margin_mm", [0.0, 2.0, 5.0])
def test_the_segmenter_s_answer_counts_as_far_beyond_the_mask_as_it_was_trained(scans, margin_mm):
    brain = np.zeros(GRID.shape, bool)
    brain[6:9, 7:9, 8] = True
    result = segment(scans, brain, finds_edema_everywhere(margin_mm), WINDOWS)
    found = result.classes
    places = np.argwhere(np.ones(GRID.shape, bool))
    distance_mm = 2.0 * np.linalg.norm(places[:, None] - np.argwhere(brain)[None], axis=2).min(axis=1)
    np.testing.assert_array_equal(found.ravel() > 0, distance_mm <= margin_mm)
    np.testing.assert_array_equal(result.regions[0].ravel(), distance_mm <= margin_mm)


def test_the_brain_s_edge_is_where_the_interpolated_logit_is_zero(scans):
    def logits(image, **_):
        answer = torch.full((1, *image.shape[1:]), -5.0)
        answer[:, 3:] = 1.0
        return answer

    preprocess = VolumePreprocess(["t1"], [4.0, 4.0, 4.0], Intensity.minmax, Crop.nonzero)
    model = SimpleNamespace(
        config=SimpleNamespace(preprocess=preprocess),
        device=torch.device("cpu"),
        computing=None,
        facts={},
        logits=logits,
    )
    found = strip(scans, NetworkStripper(model), WINDOWS)
    # Between the coarse voxels of -5 and 1 lie two fine ones: at a quarter of the way -3.5, at three quarters
    # -0.5. Their interpolated probabilities would be 0.19 and 0.55, and the second would count as brain.
    expected = np.zeros(GRID.shape, bool)
    expected[9:14, 2:14, 2:14] = True
    np.testing.assert_array_equal(found.mask, expected)
    assert found.probability[8, 8, 8] == pytest.approx(1 / (1 + np.exp(0.5)), abs=1e-5)
    assert found.probability.dtype == np.float32
    outside = np.ones(GRID.shape, bool)
    outside[2:14, 2:14, 2:14] = False
    assert (found.probability[outside] == 0).all()


def test_a_margin_does_not_reach_into_the_empty_space_around_a_stripped_scan(scans):
    brain = scans.images["t1"].data[0] > 0
    scans.images["t1"].data[0, 7, 7, 7] = 0  # a hole in it is part of the brain all the same
    found = segment(scans, brain, finds_edema_everywhere(8.0), WINDOWS).classes
    np.testing.assert_array_equal(found > 0, brain)


def sees(preprocess, **facts):
    """A stripper that remembers what it was shown and finds brain everywhere."""
    shown = []

    def logits(image, **_):
        shown.append(image.numpy())
        return torch.ones(1, *image.shape[1:])

    config = SimpleNamespace(preprocess=preprocess)
    model = SimpleNamespace(
        config=config, device=torch.device("cpu"), computing=None, facts=facts, logits=logits
    )
    return model, shown


def test_a_stripper_gets_the_landmarks_that_it_was_trained_with(scans):
    landmarks = [[0.0, 5.0, 20.0, 30.0, 35.0, 50.0, 55.0, 70.0, 80.0, 90.0, 100.0]]
    preprocess = VolumePreprocess(["t1"], None, Intensity.landmarks, Crop.none)
    model, shown = sees(preprocess, landmarks=landmarks)
    strip(scans, NetworkStripper(model), WINDOWS)
    expected = prepare_volume(scans.images["t1"], preprocess, landmarks=landmarks).image
    np.testing.assert_array_equal(shown[0], expected)


@pytest.mark.parametrize(("known", "taken"), [("any", "flair"), ("t1", "t1")])
def test_a_stripper_of_any_sequence_gets_the_reference(scans, known, taken):
    flair = Volume(scans.images["t1"].data ** 3, GRID)
    both = Scans({"t1": scans.images["t1"], "flair": flair}, "flair")
    preprocess = VolumePreprocess([known], None, Intensity.minmax, Crop.none)
    model, shown = sees(preprocess)
    strip(both, NetworkStripper(model), WINDOWS)
    np.testing.assert_array_equal(shown[0], prepare_volume(both.images[taken], preprocess).image)


def knows(*subsets: list[str]) -> SimpleNamespace:
    preprocess = VolumePreprocess(["t1", "t1ce", "flair"], None, Intensity.zscore_nonzero, Crop.nonzero)
    return SimpleNamespace(config=SimpleNamespace(preprocess=preprocess), subsets=list(subsets))


@pytest.mark.parametrize(
    ("there", "used"),
    [
        (["flair", "t1", "t1ce", "t2"], ["t1", "t1ce", "flair"]),
        (["t1", "flair"], ["flair"]),
        (["flair", "t1ce"], ["t1ce", "flair"]),
    ],
)
def test_the_largest_subset_that_is_there_is_used(there, used):
    assert usable_sequences(knows(["flair"], ["t1ce", "flair"]), there, "a") == used


def test_fewer_sequences_than_any_trained_subset_are_refused_by_name():
    with pytest.raises(
        ImageError,
        match=r"^sub-1 has t1 but lacks t1ce, flair: the segmenter was trained with t1, t1ce, flair; "
        r"or flair\. Add the missing file",
    ):
        usable_sequences(knows(["flair"]), ["t1"], "sub-1")


def test_regions_that_the_training_s_truths_did_not_have_are_named():
    assert untold_regions({"label_convention": "brats-2018"}) == []
    assert untold_regions({"regions": ["whole_tumor"]}) == ["tumor_core", "enhancing_tumor"]
    assert untold_regions({"regions": ["whole_tumor", "tumor_core", "enhancing_tumor"]}) == []
    assert untold_regions({"regions": "of a file from elsewhere"}) == []


def test_a_missing_sequence_reaches_the_network_as_zeros_in_its_own_channel(scans):
    shown = []
    model = finds_edema_everywhere(0.0)
    model.config.preprocess = VolumePreprocess(["t1ce", "t1"], None, Intensity.zscore_nonzero, Crop.nonzero)
    model.subsets = [["t1"]]

    def probabilities(image, names, *_, **__):
        shown.append((image, names))
        return torch.ones(3, *image.shape[1:])

    model.probabilities = probabilities
    found = segment(scans, scans.images["t1"].data[0] > 0, model, WINDOWS)
    (image, names), *more = shown
    assert (names, more, found.sequences) == (["t1"], [], ("t1",))
    assert not image[0].any()
    inside = image[1]
    assert float(inside.mean()) == pytest.approx(0, abs=1e-5)
    assert float(inside.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_the_tumour_is_cleaned_by_the_models_rule_but_its_probabilities_are_not(scans):
    brain = np.zeros(GRID.shape, bool)
    brain[6:9, 7:9, 8] = True  # 6 voxels of 8 mm3
    model = finds_edema_everywhere(0.0)
    model.cleaning = Cleaning(least_part_ml=0.05)
    found = segment(scans, brain, model, WINDOWS)
    assert not found.classes.any()
    assert (found.regions[0][brain] == 1).all()
    assert not found.regions[:, ~brain].any()
