"""`brainseg study skullstrip` on tiny runs."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config.errors import UserError
from brainseg.evaluation.brains import evaluate_brains
from brainseg.images.nifti import read, read_labels
from brainseg.inference import otsu_brain
from brainseg.metrics import dice
from brainseg.prediction.run import run as predict
from brainseg.study.stripper_page import write_skullstrip_page
from brainseg.study.stripper_scores import _on_patches
from brainseg.training.train import train

RESIDUAL = ["skullstripper.net=residual_unet3d", "skullstripper.channels=[2,4]"]


@pytest.fixture(scope="session")
def plain_run(trained):
    """A run's folder as train.py leaves it: Hydra writes the config there."""
    cfg, checkpoint = trained("skullstripper")
    return with_config(checkpoint.parents[1], cfg)


def with_config(folder, cfg):
    (folder / ".hydra").mkdir(exist_ok=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    return folder


@pytest.fixture
def copied(plain_run, tmp_path):
    return shutil.copytree(plain_run, tmp_path / "copy")


def test_whole_heads_are_scored_as_predict_and_evaluate_would(plain_run, options, tmp_path):
    write_skullstrip_page([plain_run], tmp_path / "page", checkpoint="best", patches=2)
    ours, otsu = json.loads((tmp_path / "page" / "skullstrip.json").read_text())
    root = next(plain_run.parent.glob("data/**/nfbs-*"))
    (head,) = ours["heads"]  # one of four is the test part
    scan = next(root.rglob(f"*{head}*_T1w.nii.gz"))
    mask = scan.with_name(scan.name.replace("T1w", "T1w_brainmask"))
    chosen = options(scan, "classifier=null", "segmenter=null", output=tmp_path / "out")
    assert predict(chosen) == 0
    found = evaluate_brains(mask, mask_of(tmp_path / "out"))
    assert found.cases[0].scores == pytest.approx(ours["heads"][head])
    truth, image = read_labels(mask).data[0] > 0, read(scan)
    by_hand = dice(truth, otsu_brain(image.data[0], image.grid.spacing_mm))
    assert otsu["heads"][head]["dice"] == pytest.approx(by_hand)


def mask_of(folder):
    (path,) = folder.rglob("*_brain_mask.nii.gz")
    return path


def test_scores_of_patches_by_hand():
    """A network that says 0.5 everywhere, on two whole heads of 4 x 4 x 4 with 16 and 0 of brain."""
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[0] = 1
    arrays = {
        "a": {"image": np.zeros((1, 4, 4, 4), np.float16), "truth": truth},
        "b": {"image": np.zeros((1, 4, 4, 4), np.float16), "truth": np.zeros_like(truth)},
    }
    model = undecided(batch_size=4)
    run = SimpleNamespace(
        model=model,
        data=SimpleNamespace(arrays=arrays),
        cases=[SimpleNamespace(id="a"), SimpleNamespace(id="b")],
    )
    scores = _on_patches(run, "", patches=2)
    assert (scores.batches, scores.batch_size, scores.empty) == (2, 2, 1)
    assert scores.brain_share == pytest.approx(0.125)
    assert scores.means["mse"] == pytest.approx(0.25)
    full, empty = (2 * 16 + 1) / (64 + 32 + 1), 1 / (64 + 1)  # two patches in each batch
    assert scores.means["dice"] == pytest.approx((full + empty) / 2)
    full, empty = (16 + 1) / (64 + 32 - 16 + 1), 1 / (64 + 1)
    assert scores.means["iou"] == pytest.approx((full + empty) / 2)


def undecided(batch_size):
    def model(image):
        return torch.zeros_like(image)

    model.config, model.device = SimpleNamespace(batch_size=batch_size, patch=[4, 4, 4]), "cpu"
    return model


def test_a_head_smaller_than_the_patch_is_filled_up_with_nothing():
    arrays = {"a": {"image": np.ones((1, 2, 4, 4), np.float16), "truth": np.ones((2, 4, 4), np.uint8)}}
    run = SimpleNamespace(
        model=undecided(2), data=SimpleNamespace(arrays=arrays), cases=[SimpleNamespace(id="a")]
    )
    assert _on_patches(run, "", patches=1).brain_share == 0.5


def test_both_settings_of_the_original_stand_beside_the_student_report_s_numbers(composed, tiny, tmp_path):
    sweep = tmp_path / "sweep"
    for skip in ("true", "false"):
        folder = sweep / skip
        cfg = composed(
            *tiny("skullstripper"),
            *RESIDUAL,
            f"skullstripper.optional_skip={skip}",
            "test=false",
            "name=base",
        )
        cfg.paths.run = str(folder)
        train(cfg)
        with_config(folder, cfg)
    said = CliRunner().invoke(
        app, ["report", "skullstrip", str(sweep), "--checkpoint", "last", "--patches", "2"]
    )
    assert said.exit_code == 0, said.output
    assert "base (true): Dice of whole heads" in said.output
    text = (sweep / "report" / "skullstrip.md").read_text()
    assert "residual_unet3d_MSE_3" in text  # with the optional skip
    assert "student report: 0.010058" in text
    assert "residual_unet3d_MSE_2" in text
    assert "student report: 0.008068" in text
    assert "Otsu's threshold" in text
    assert (sweep / "report" / "skullstrip.html").is_file()


def test_runs_judged_by_different_heads_do_not_stand_side_by_side(plain_run, composed, tiny, tmp_path):
    cfg = composed(*tiny("skullstripper"), "data.seed=5", "test=false")
    cfg.paths.run = str(tmp_path / "other")
    train(cfg)
    with pytest.raises(UserError, match="scored on different heads"):
        write_skullstrip_page(
            [plain_run, with_config(tmp_path / "other", cfg)], tmp_path, checkpoint="best", patches=1
        )


def test_heads_that_went_to_another_part_are_named(copied, tmp_path):
    split = json.loads((copied / "split.json").read_text())
    split["train"], split["test"] = split["train"][1:], [split["train"][0]]
    (copied / "split.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match="names other test scans"):
        write_skullstrip_page([copied], tmp_path / "page", checkpoint="best", patches=1)
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_runs_is_named(there, tmp_path):
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    with pytest.raises(UserError, match="empty: no"):
        write_skullstrip_page([folder], None, checkpoint="best", patches=1)


def test_a_run_on_painted_heads_is_sent_to_predict(copied, composed, tmp_path):
    cfg = composed(
        "experiment=skullstripper_anycontrast", "skullstripper.preprocess.spacing_mm=[6,6,6]", "data.heads=3"
    )
    with_config(copied, cfg)
    with pytest.raises(UserError, match="PaintedHeads, which keeps no scans"):
        write_skullstrip_page([copied], tmp_path / "page", checkpoint="best", patches=1)
