import pytest
import torch
from torch import nn

from brainseg.config.errors import CheckpointError
from brainseg.images.labels import TUMOR_REGIONS
from brainseg.prediction import members
from brainseg.trained import Ensemble

SETTINGS = ("segmenter.output=regions", "segmenter.loss=region_dice_bce")


def row(scores: list[float], **rule: float) -> dict[str, object]:
    return {"least_part_ml": 0.0, "fill": False, "least_enhancing_ml": 0.0, **rule, "scores": scores}


def test_members_answer_with_the_mean_of_their_probabilities(segmenter):
    torch.manual_seed(0)
    one, other = segmenter(*SETTINGS), segmenter(*SETTINGS)
    scan = torch.randn(4, 8, 8, 8)
    together = Ensemble({"a": one, "b": other}).probabilities(scan)
    torch.testing.assert_close(together, (one.probabilities(scan) + other.probabilities(scan)) / 2)


def test_what_is_loaded_to_predict_has_its_batch_norms_folded(segmenter, monkeypatch, tmp_path):
    torch.manual_seed(0)
    model = segmenter(
        *SETTINGS, "segmenter.net=dynunet", "segmenter.norm=batch", "segmenter.channels=[4,8,16]"
    )
    norms = [part for part in model.net.modules() if isinstance(part, nn.BatchNorm3d)]
    for part in norms:
        part.running_mean.uniform_(-1, 1)
        part.running_var.uniform_(0.5, 2)
    scan = torch.randn(4, 8, 8, 8)
    expected = model.probabilities(scan)
    monkeypatch.setattr(members, "load_model", lambda *_, **__: model)
    (tmp_path / "a.ckpt").touch()
    loaded = members.load_ensemble(tmp_path / "a.ckpt", torch.device("cpu"))
    assert norms
    assert not any(isinstance(part, nn.BatchNorm3d) for part in loaded.members[0].net.modules())
    torch.testing.assert_close(loaded.probabilities(scan), expected)


def test_temperatures_are_averaged_as_factors_and_the_rule_is_chosen_on_all_folds(segmenter):
    one, other = segmenter(*SETTINGS), segmenter(*SETTINGS)
    # Alone, the first fold would choose 0.1 ml and the second nothing; together they choose 0.5 ml.
    one.fitted = {
        "temperatures": dict.fromkeys(TUMOR_REGIONS, 0.5),
        "cleaning_scores": [
            row([0.5, 0.5]), row([0.9, 0.9], least_part_ml=0.1), row([0.8, 0.8], least_part_ml=0.5)
        ],
    }  # fmt: skip
    other.fitted = {
        "temperatures": dict.fromkeys(TUMOR_REGIONS, 2.0),
        "cleaning_scores": [
            row([0.5, 0.5]), row([0.1, 0.1], least_part_ml=0.1), row([0.5, 0.5], least_part_ml=0.5)
        ],
    }  # fmt: skip
    assert Ensemble({"a": one}).cleaning.least_part_ml == 0.1
    assert Ensemble({"b": other}).cleaning.least_part_ml == 0.0
    together = Ensemble({"a": one, "b": other})
    assert together.cleaning.least_part_ml == 0.5
    assert together.temperatures == pytest.approx(dict.fromkeys(TUMOR_REGIONS, 1.0))


def test_models_that_want_different_scans_are_refused_by_name(segmenter):
    other = segmenter(*SETTINGS, "segmenter.preprocess.spacing_mm=[1,1,1]")
    with pytest.raises(CheckpointError, match=r"^b\.ckpt cannot answer together with a\.ckpt: their preproc"):
        Ensemble({"a.ckpt": segmenter(*SETTINGS), "b.ckpt": other})


def test_models_of_different_label_conventions_are_refused(segmenter):
    one, other = segmenter(*SETTINGS), segmenter(*SETTINGS)
    one.provenance = {"facts": {"label_convention": "brats-2018"}}
    other.provenance = {"facts": {"label_convention": "msd-task01"}}
    with pytest.raises(CheckpointError, match="label convention"):
        Ensemble({"a": one, "b": other})
