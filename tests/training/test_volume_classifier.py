"""A classifier of volumes is trained on phantoms in files: scores, resume, a segmenter's encoder."""

import json

import pytest
import torch

from brainseg.checkpoint import CheckpointError, begin_with, load_model
from brainseg.config import TUMOR_TYPES, check, plain
from brainseg.config.beside import composed as composed_beside
from brainseg.tasks import VolumeClassifier
from brainseg.trained import VolumeClassifierModel
from brainseg.training.beginning import arguments_with_start
from brainseg.training.train import train


def test_a_run_leaves_what_a_classifier_leaves(trained):
    _, best = trained("volume_classifier")
    run = best.parent.parent
    scores = json.loads((run / "scores.json").read_text())
    assert set(scores["classes"]) == set(TUMOR_TYPES)
    assert {"accuracy", "roc_auc_macro", "calibration_error", "uncalibrated", "temperature"} <= set(scores)
    rows = (run / "predictions.csv").read_text().splitlines()
    assert rows[0] == "file,part,truth,glioma,meningioma,notumor,pituitary"
    assert rows[1].startswith("glioma/phantom_")
    assert (run / "confusion.png").is_file()
    assert (run / "cases.csv").read_text().startswith("part,case,subject,truth,guess,accuracy")
    assert list((run / "panels").glob("*.png"))
    model = load_model(best)
    assert isinstance(model, VolumeClassifierModel)
    assert model.temperature == model.fitted["temperature"] > 0
    assert model.probabilities(torch.randn(4, 20, 24, 18), ["t1ce"]).shape == (4,)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(composed, tmp_path, tiny):
    settings = [*tiny("volume_classifier"), f"paths.data={tmp_path}/data", "trainer.limit_train_batches=2"]
    settings += ["volume_classifier.epochs=2", "volume_classifier.batch_size=2"]

    def weights(folder, epochs, *more):
        cfg = composed(*settings, f"trainer.max_epochs={epochs}", *more)
        cfg.paths.run = f"{tmp_path}/{folder}"
        train(cfg)
        return torch.load(tmp_path / folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    whole = weights("whole", 2)
    weights("parts", 1)
    parts = weights("parts", 2, f"resume={tmp_path}/parts/checkpoints/last.ckpt")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_it_begins_with_the_way_down_of_a_segmenter(trained):
    _, best = trained("segmenter")
    made = composed_beside(
        arguments_with_start(["model=volume_classifier", f"start_from={best}", "data=phantom"])
    )
    check(made)
    section = made.volume_classifier
    assert (str(section.net), section.channels, section.subset_share) == ("unet_encoder", [4, 8], 0.0)

    module = VolumeClassifier(plain(section))
    begin_with(module, best)
    theirs = load_model(best).net.state_dict()
    ours = {name: one for name, one in module.net.state_dict().items() if name.startswith("features.")}
    assert ours
    assert all(torch.equal(one, theirs[name.removeprefix("features.")]) for name, one in ours.items())
    other = VolumeClassifier(plain(section) | {"channels": [8, 8]})
    with pytest.raises(CheckpointError, match=r"whose way down does not fit; set .*channels=\[4,8\]"):
        begin_with(other, best)
