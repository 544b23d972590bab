"""What a segmenter answers: classes or regions, from all of its sequences or some."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from brainseg.config import ConfigError
from brainseg.config.choices import Flips
from brainseg.losses import RegionDiceBCELoss, deeply_supervised
from brainseg.trained.volumes import VALIDATION

REGIONS = ("segmenter.output=regions", "segmenter.loss=region_dice_bce")
SUBSETS = ("segmenter.subsets=[[flair,t1ce],[flair]]", "segmenter.subset_share=0.5")


@pytest.fixture
def scan() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(4, 12, 10, 9)


def test_classes_are_four_probabilities_that_sum_to_one_and_regions_are_three(segmenter, scan):
    classes = segmenter().probabilities(scan)
    assert classes.shape == (4, 12, 10, 9)
    torch.testing.assert_close(classes.sum(0), torch.ones(12, 10, 9))
    assert segmenter(*REGIONS).probabilities(scan).shape == (3, 12, 10, 9)


@pytest.mark.parametrize("output", [(), REGIONS])
def test_logits_and_probabilities_lead_to_the_same_classes(segmenter, scan, output):
    model = segmenter(*output)
    assert torch.equal(model.classes_of(model.logits(scan)), model.decided(model.probabilities(scan)))


def test_a_sequence_that_is_not_there_is_not_looked_at(segmenter, scan):
    model = segmenter(*REGIONS, *SUBSETS)
    spoiled = scan.clone()
    spoiled[[0, 2]] = 1e4  # t1 and t2
    torch.testing.assert_close(
        model.logits(scan, ["t1ce", "flair"]), model.logits(spoiled, ["t1ce", "flair"])
    )
    assert not torch.allclose(model.logits(scan), model.logits(spoiled))


def test_that_a_sequence_is_missing_is_not_the_same_as_that_it_is_empty(segmenter, scan):
    model = segmenter(*REGIONS, *SUBSETS)
    empty = scan.clone()
    empty[[0, 1, 2]] = 0
    assert not torch.allclose(model.logits(scan, ["flair"]), model.logits(empty))


def test_training_shows_all_sequences_or_one_of_the_subsets(segmenter):
    model = segmenter(*SUBSETS)
    torch.manual_seed(0)
    seen = Counter(tuple(int(v) for v in row) for row in model._random_sequences(2000))
    assert set(seen) == {(1, 1, 1, 1), (0, 1, 0, 1), (0, 0, 0, 1)}  # t1, t1ce, t2, flair
    assert seen[1, 1, 1, 1] == pytest.approx(1000, abs=80)  # a share of one half, within 3.6 deviations
    assert seen[0, 0, 0, 1] == pytest.approx(500, abs=80)


def test_any_means_all_fourteen_proper_subsets_of_four(segmenter):
    model = segmenter("segmenter.subsets=any", "segmenter.subset_share=0.5")
    assert len(model.subsets) == len({tuple(names) for names in model.subsets}) == 14
    assert [len(names) for names in model.subsets] == [3] * 4 + [2] * 6 + [1] * 4


def test_the_mean_over_mirror_images_treats_left_and_right_alike(segmenter, scan):
    model = segmenter(*REGIONS)
    mirrored = scan.flip(1)
    plain = model.probabilities(scan)
    assert not torch.allclose(model.probabilities(mirrored).flip(1), plain, atol=1e-4)
    for flips in (Flips.left_right, Flips.all):
        one = model.probabilities(scan, flips=flips)
        torch.testing.assert_close(model.probabilities(mirrored, flips=flips).flip(1), one)


def test_all_mirror_images_are_eight(segmenter, scan, monkeypatch):
    model = segmenter()
    shown = []
    monkeypatch.setattr(
        model, "logits", lambda image, *_, **__: shown.append(image) or torch.zeros(4, 12, 10, 9)
    )
    model.probabilities(scan, flips=Flips.all)
    assert len({tuple(image.flatten().tolist()) for image in shown}) == len(shown) == 8


def test_deep_supervision_trains_on_several_resolutions_and_answers_with_one(segmenter, scan):
    model = segmenter(
        *REGIONS, "segmenter.net=dynunet", "segmenter.deep_supervision=true", "segmenter.channels=[4,8,8]"
    )
    x, labels = torch.randn(2, 4, 8, 8, 8), torch.randint(0, 4, (2, 8, 8, 8))
    answers = model.train()(x)
    assert answers.shape == (2, 2, 3, 8, 8, 8)
    loss = RegionDiceBCELoss()
    expected = (2 * loss(answers[:, 0], labels) + loss(answers[:, 1], labels)) / 3
    torch.testing.assert_close(deeply_supervised(loss, answers, labels), expected)
    assert model.eval().logits(scan).shape == (3, 12, 10, 9)


def test_the_mask_does_not_depend_on_how_many_windows_go_at_once(segmenter, scan):
    model = segmenter()
    one, many = (model.logits(scan, windows=replace(VALIDATION, batch_size=n)) for n in (1, 5))
    torch.testing.assert_close(one, many, atol=1e-5, rtol=1e-4)
    assert torch.equal(model.classes_of(one), model.classes_of(many))


@pytest.mark.parametrize(
    ("net", "norm", "sides"),
    [
        ("unet3d", "own", (12, 10, 10)),
        ("unet", "own", (8, 8, 8)),
        ("unet", "batch", (12, 10, 10)),
    ],
)
def test_a_network_without_norms_of_a_window_is_shown_the_scan_at_once(segmenter, scan, net, norm, sides):
    model = segmenter(f"segmenter.net={net}", f"segmenter.norm={norm}")
    shown = set()
    model.net.register_forward_hook(lambda _, given, __: shown.add(tuple(given[0].shape[2:])))
    model.logits(scan)
    assert shown == {sides}


@pytest.mark.parametrize(("output", "told"), [((), 5), (REGIONS, 4)])
def test_a_segmenter_of_cavities_tells_one_class_or_region_more(segmenter, scan, output, told):
    model = segmenter("segmenter.cavity=true", *output)
    probabilities = model.probabilities(scan)
    assert probabilities.shape == (told, 12, 10, 9)
    assert model.regions(probabilities).shape[0] == 4
    assert model.preview_classes[-1] == "resection_cavity"
    scores = model.make_scores()
    truth = torch.tensor([4, 4, 2, 0]).view(1, 4, 1, 1)
    scores.update(truth, torch.tensor([4, 0, 2, 0]).view(1, 4, 1, 1))
    # Half of the cavity: Dice 2 / 3; whole tumour, and the core and enhancing tumour that are not there, 1.
    expected = {"resection_cavity": 2 / 3, "whole_tumor": 1, "mean": (2 / 3 + 3) / 4}
    found = scores.compute()
    assert {name: float(found[f"dice/{name}"]) for name in expected} == pytest.approx(expected)


def test_weights_of_other_classes_than_the_segmenter_s_are_refused_before_training(segmenter):
    weights = ("segmenter.loss=dice", "menu.loss.dice.class_weights=[0.1,1,1,1]")
    assert segmenter(*weights).preview_classes[-1] == "enhancing_tumor"
    with pytest.raises(ConfigError, match="has 4 weights, but the segmenter has 5 classes"):
        segmenter("segmenter.cavity=true", *weights)
    with pytest.raises(ConfigError, match=r"class_indexes has 4, but the segmenter's classes are 0 to 3$"):
        segmenter("menu.loss.dice_ce.class_indexes=[1,2,3,4]")
    segmenter("segmenter.cavity=true", "menu.loss.dice_ce.class_indexes=[1,2,3,4]")
