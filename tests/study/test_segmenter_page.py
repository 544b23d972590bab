"""`brainseg study segmentation` on tiny runs."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config import conf_dir, register_schemas
from brainseg.config.errors import UserError
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.images.volume import Grid, Volume
from brainseg.inference import Cleaning
from brainseg.prediction.run import run as predict
from brainseg.prediction.scans import Scans
from brainseg.study.segmenter_page import spoken_rule, write_segmentation_page
from brainseg.study.segmenter_scores import _share_beyond_crop
from brainseg.training.train import train

RICH = [
    "segmenter.output=regions",
    "segmenter.loss=region_dice_bce",
    "segmenter.subsets=[[flair]]",
    "segmenter.subset_share=0.5",
]


@pytest.fixture(scope="session")
def folds(tmp_path_factory, tiny):
    """Both folds of a tiny segmenter, as `train.py -m data.fold=0,1` leaves them."""
    register_schemas()
    sweep = tmp_path_factory.mktemp("folds")
    for fold in range(2):
        overrides = [*tiny("segmenter"), *RICH, "data.folds=2", f"data.fold={fold}", "data.test_share=0"]
        overrides += [f"paths.run={sweep / str(fold)}", f"paths.data={sweep / 'data'}", "test=false"]
        overrides += ["trainer.limit_val_batches=null"]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            cfg = compose("train", overrides)
        train(cfg)
        (sweep / str(fold) / ".hydra").mkdir()
        OmegaConf.save(cfg, sweep / str(fold) / ".hydra" / "config.yaml")
    return sweep


@pytest.fixture(scope="session")
def page(folds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    return folder, write_segmentation_page([folds], folder, checkpoint="best")


def test_each_scan_is_scored_once_by_the_run_that_has_not_seen_it(folds, page):
    runs = json.loads((page[0] / "segmentation.json").read_text())
    cases = [sorted(one["scores"]["brats-legacy"]) for one in runs]
    splits = [json.loads((folds / str(fold) / "split.json").read_text()) for fold in range(2)]
    assert cases == [sorted(split["val"]) for split in splits]
    assert len({name for names in cases for name in names}) == 4


@pytest.mark.parametrize("protocol", ["brats-legacy", "brats-2023"])
def test_the_scores_are_those_of_predict_and_evaluate(folds, page, options, tmp_path, protocol):
    (ours, _) = json.loads((page[0] / "segmentation.json").read_text())
    name = next(iter(ours["scores"][protocol]))
    subject = next(folds.glob(f"data/**/{name}"))
    chosen = options(
        subject, "skullstripper=null", "classifier=null", f"segmenter={folds / '0'}", output=tmp_path / "out"
    )
    assert predict(chosen) == 0
    found = evaluate_tumors(subject, tmp_path / "out", protocol)
    assert found.cases[0].scores == pytest.approx(ours["scores"][protocol][name], nan_ok=True)


def test_the_page_has_the_student_report_s_numbers_beside_ours_and_all_folds_together(page):
    text = (page[0] / "segmentation.md").read_text()
    for needed in (
        "(student report: 0.578)", "(student report: 0.853)", "**all runs together, 4 cases**",
        "**brats-2023**", "**brats-2026**", "| flair ", "Figure 24",
    ):  # fmt: skip
        assert needed in text
    html = (page[0] / "segmentation.html").read_text()
    assert "://" not in html
    assert html.count("data:image/png") == 4  # curves and cases of both runs


def test_one_line_for_each_run_is_said(page):
    assert [line.split(":")[1].split(" ")[1] for line in page[1].lines] == ["Dice", "Dice"]


def test_the_command_names_its_page(folds, tmp_path):
    done = CliRunner().invoke(app, ["report", "segmentation", str(folds / "0"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"page: {tmp_path / 'segmentation.html'}" in done.output


def test_scans_that_have_gone_since_the_training_are_named(folds, tmp_path):
    copy = shutil.copytree(folds / "0", tmp_path / "run")
    split = json.loads((copy / "split.json").read_text())
    split["val"] = split["val"][:1]
    (copy / "split.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match=r"names other val scans than .* has now; restore that folder"):
        write_segmentation_page([copy], None, checkpoint="best")


def test_the_share_of_a_tumour_beyond_the_fixed_crop_is_counted_in_voxels():
    affine = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(("L", "P", "S")), (240, 240, 155))
    truth = np.zeros((240, 240, 155), np.uint8)
    truth[50:60, 100, 100] = 2  # 56 is the first voxel within: 6 of 10 lie beyond
    truth[100, 100, 135:145] = 1  # 140 is the last voxel within: 4 of 10 lie beyond
    grid = Grid(truth.shape, affine)
    scans = Scans({"flair": Volume(truth[None].astype(np.float32), grid)}, "flair")
    assert _share_beyond_crop(truth, scans) == pytest.approx(10 / 20)
    assert _share_beyond_crop(np.zeros_like(truth), scans) == 0


def test_a_cleaning_rule_is_said_in_words():
    assert spoken_rule(Cleaning()) == "nothing is changed"
    assert spoken_rule(Cleaning(0.1, True, 0.5)) == (
        "parts below 0.1 ml removed, holes filled, enhancing tumour below 0.5 ml counted as necrotic core"
    )
