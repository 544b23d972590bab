"""What validation scans tell a segmenter."""

import numpy as np
import pytest
import torch

from brainseg.images.labels import REGIONS, TUMOR_REGIONS
from brainseg.inference import Cleaning
from brainseg.trained.stored import fitted_fault
from brainseg.trained.validation import best_rule, fit_segmenter, pooled_rules

SETTINGS = ("segmenter.output=regions", "segmenter.loss=region_dice_bce")


@pytest.fixture
def truth() -> torch.Tensor:
    classes = torch.zeros(20, 12, 12, dtype=torch.long)
    classes[2:10, 2:10, 2:10] = 2
    classes[4:8, 4:8, 4:8] = 1
    return classes


def answering(model, monkeypatch, logits_of) -> None:
    """Let the model answer with logits of the truth, which the last channel of the image holds."""
    monkeypatch.setattr(
        model, "logits", lambda image, sequences=None, **_: logits_of(image[-1].long(), sequences)
    )


def masks_of(classes: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.isin(classes, torch.tensor(members)) for members in TUMOR_REGIONS.values()])


def scan_of(truth: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.ones_like(truth)] * 3 + [truth]).float()


def test_a_network_that_is_twice_as_sure_as_it_should_be_gets_a_temperature_of_two(
    segmenter, monkeypatch, truth
):
    model = segmenter(*SETTINGS)
    # Right in 3 of 4 voxels, so that a logit of log 3 would be calibrated; it says twice as much.
    draw = torch.Generator().manual_seed(0)
    right = torch.rand(3, *truth.shape, generator=draw) < 0.75

    def overconfident(classes, _):
        return 2 * np.log(3) * torch.where(masks_of(classes) == right, 1.0, -1.0)

    answering(model, monkeypatch, overconfident)
    fitted = fit_segmenter(model, [(scan_of(truth), truth)] * 2)
    for region in TUMOR_REGIONS:
        assert fitted["temperatures"][region] == pytest.approx(2, abs=0.15)
        before, after = fitted["calibration_error"][region]
        assert before == pytest.approx(0.9 - 0.75, abs=0.02)
        assert after < 0.02


def test_crumbs_that_are_never_there_are_cleaned_away(segmenter, monkeypatch, truth):
    model = segmenter(*SETTINGS)
    with_crumbs = truth.clone()
    with_crumbs[16, 2, 2:6] = 3  # 4 voxels of 8 mm3: enhancing tumour that no truth has

    answering(model, monkeypatch, lambda _, __: 20.0 * (2 * masks_of(with_crumbs).float() - 1))
    fitted = fit_segmenter(model, [(scan_of(truth), truth)] * 3)
    rule = Cleaning(**fitted["cleaning"])
    np.testing.assert_array_equal(rule(with_crumbs.numpy().astype(np.uint8), 0.008), truth.numpy())
    assert rule == Cleaning(least_part_ml=0.05)  # the least that does it


def test_one_scan_is_no_reason_to_change_predictions(segmenter, monkeypatch, truth):
    model = segmenter(*SETTINGS)
    crumbs = torch.where(torch.arange(20)[:, None, None] == 16, 3, truth)
    answering(model, monkeypatch, lambda _, __: 20.0 * (2 * masks_of(crumbs).float() - 1))
    assert Cleaning(**fit_segmenter(model, [(scan_of(truth), truth)])["cleaning"]) == Cleaning()


def test_a_gain_that_others_lose_is_no_gain():
    nothing, rule, better = Cleaning(), Cleaning(0.1), Cleaning(0.5)
    assert best_rule({nothing: [0.5, 0.5], rule: [0.9, 0.2]}) == nothing
    assert best_rule({nothing: [0.5, 0.5], rule: [0.6, 0.6], better: [0.7, 0.7]}) == better
    assert best_rule({}) == nothing


def test_folds_put_their_scores_together():
    rows = [
        {"least_part_ml": 0.1, "fill": True, "least_enhancing_ml": 0.0, "scores": [s]} for s in (0.1, 0.9)
    ]
    pooled = pooled_rules([{"cleaning_scores": [rows[0]]}, {}, {"cleaning_scores": [rows[1]]}])
    assert pooled == {Cleaning(0.1, True, 0.0): [0.1, 0.9]}


def test_each_subset_s_dice_is_told(segmenter, monkeypatch, truth):
    model = segmenter(*SETTINGS, "segmenter.subsets=[[flair],[t1ce]]", "segmenter.subset_share=0.5")

    def half_without_t1ce(classes, sequences):
        masks = masks_of(classes)
        if sequences == ["flair"]:
            masks[:, :, :, 6:] = False
        return 20.0 * (2 * masks.float() - 1)

    answering(model, monkeypatch, half_without_t1ce)
    table = fit_segmenter(model, [(scan_of(truth), truth)])["subsets"]
    assert set(table) == {"t1+t1ce+t2+flair", "flair", "t1ce"}
    assert table["t1ce"] == {"whole_tumor": 1.0, "tumor_core": 1.0, "enhancing_tumor": 1.0}
    assert table["flair"]["whole_tumor"] == pytest.approx(2 / 3)  # half of it found, nothing made up


def test_no_validation_scan_tells_nothing(segmenter):
    assert fit_segmenter(segmenter(), []) == {}


def test_all_that_is_fitted_follows_the_regions_of_a_model_of_cavities(segmenter, monkeypatch, truth):
    model = segmenter("segmenter.cavity=true")
    truth[12:16, 2:6, 2:6] = 4  # 64 voxels of 8 mm3: 0.512 ml
    guess = truth.clone()
    guess[18:20, 8:10, 8:10] = 4  # 8 voxels, 0.064 ml, that are none
    answering(
        model,
        monkeypatch,
        lambda *_: 12.0 * torch.nn.functional.one_hot(guess, 5).permute(3, 0, 1, 2).float(),
    )
    fitted = fit_segmenter(model, [(scan_of(truth), truth)] * 3)
    assert list(fitted["temperatures"]) == list(fitted["calibration_error"]) == list(REGIONS)
    nothing, *_ = fitted["cleaning_scores"]
    # Whole tumour, core and (neither is there) enhancing tumour 1; cavity 2 * 64 / (64 + 72).
    assert nothing["scores"] == pytest.approx([(3 + 128 / 136) / 4] * 3)
    assert fitted["cleaning"]["least_part_ml"] == 0.1
    assert fitted_fault("segmenter", fitted, cavity=True) is None
    assert "temperature" in fitted_fault("segmenter", fitted)
