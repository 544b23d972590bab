"""The models that come with brainseg: `python predict.py input=PATH` answers without any training."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

import brainseg.config.builtin
from brainseg.checkpoint import load_model
from brainseg.commands.models import models
from brainseg.config import ConfigError, check_predict, conf_dir, register_schemas
from brainseg.config.builtin import builtin_file, builtin_tasks
from brainseg.evaluation.brains import evaluate_brains
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.phantom import write_cohort
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.runs.packed_file import read_contract

OURS = ["classifier", "skullstripper", "segmenter"]


def options(*overrides):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["device=cpu", *overrides]))


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads") / "bids"
    write_cohort(folder, layout="bids", subjects=1, seed=5, spacing_mm=2.0, types=["glioma"])
    return folder


@pytest.fixture
def alone(heads, tmp_path):
    """A folder with one sequence of the head."""

    def _alone(suffix):
        (tmp_path / "in").mkdir()
        shutil.copy(heads / "sub-001" / "anat" / f"sub-001_{suffix}.nii.gz", tmp_path / "in")
        return tmp_path / "in"

    return _alone


def predicted(source, tmp_path, *overrides):
    run(options(f"input={source}", f"output={tmp_path}/out", "gates=none", "montage=false", *overrides))
    (folder,) = (path.parent for path in (tmp_path / "out").glob("*/result.json"))
    return folder, read_result(folder)


def test_each_has_weights_a_contract_and_a_card_and_all_are_small():
    assert builtin_tasks() == OURS
    folder = builtin_file("x").parent
    for task in OURS:
        assert {path.suffix for path in folder.glob(f"{task}.*")} == {".json", ".md", ".safetensors"}
        assert load_model(builtin_file(task)).task == task
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30e6


@pytest.mark.parametrize("task", OURS)
def test_the_card_has_the_figures_of_the_contract(task):
    card = builtin_file(task).with_suffix(".md").read_text()
    measured = read_contract(builtin_file(task))["run"]["facts"]["measured"]
    assert measured
    for one in measured:
        assert f"| {one['data']} | {one['score']} | {one['scans']} | {one['value']:.3f} |" in card


def test_they_are_listed_with_licence_and_figures(capsys):
    models()
    said = " ".join(capsys.readouterr().out.split())
    for part in ("Apache-2.0", "CC0-1.0", "brain Dice", "whole tumour Dice", "right types of slices"):
        assert part in said


def test_a_head_is_stripped_and_outlined_without_another_word(heads, tmp_path):
    folder, result = predicted(heads, tmp_path)
    chosen = {task: result.settings.values[task] for task in OURS}
    assert chosen == dict.fromkeys(OURS, "builtin")  # found wherever brainseg is installed
    assert (folder / "report.html").is_file()
    (brain,) = evaluate_brains(heads, tmp_path / "out").cases
    assert brain.scores["dice"] > 0.93
    (tumor,) = evaluate_tumors(heads, tmp_path / "out", "brats-legacy", "brats-2023").cases
    assert tumor.scores["dice/whole_tumor"] > 0.5
    assert result.tumor_type is None
    assert result.left_out["classify"] == (
        "the classifier that comes with brainseg is for pictures of slices, and names "
        "only 9% of 35 gliomas (LGG, BraTS 2013) and 35% of 17 heads without a tumour (IXI, Open MS) "
        "rightly, so no type is given; give classifier=CHECKPOINT, or classifier=null"
    )
    assert "classifier" not in result.models
    assert reproduce(folder) == []


def test_a_picture_of_a_slice_gets_its_type_without_another_word(heads, tmp_path):
    scan = nib.load(heads / "sub-001" / "anat" / "sub-001_ce-gadolinium_T1w.nii.gz").get_fdata()
    grey = np.clip(scan[:, :, scan.shape[2] // 2] / np.percentile(scan, 99.5) * 255, 0, 255)
    (tmp_path / "in").mkdir()
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "in" / "a.png")
    folder, result = predicted(tmp_path / "in", tmp_path)
    assert sum(result.slices.counts.values()) == 1
    assert result.settings.values["classifier"] == "builtin"
    assert any("the classifier learnt from" in one for one in result.warnings)
    assert reproduce(folder) == []


@pytest.mark.parametrize(
    ("suffix", "name"), [("T2w", "t2"), ("FLAIR", "flair"), ("ce-gadolinium_T1w", "t1ce")]
)
def test_a_single_sequence_gets_a_mask_and_an_outline_and_says_what_the_others_cost(
    alone, tmp_path, suffix, name
):
    folder, result = predicted(alone(suffix), tmp_path, "page=false")
    assert 900 < result.volumes_ml["brain"] < 2000
    assert (folder / f"{folder.name}_tumor_labels.nii.gz").is_file()
    (said,) = [one for one in result.warnings if one.startswith(f"segmented from {name} instead of")]
    assert "on synthetic validation heads" in said
    assert "it finds hardly any tumour so" in said
    assert "segment" not in result.left_out


def test_null_leaves_it_out_and_one_that_is_not_there_is_refused(monkeypatch, tmp_path):
    assert options("input=x", "output=y", "skullstripper=null").skullstripper is None
    assert options("input=x", "output=y", "segmenter=null").segmenter is None
    monkeypatch.setattr(brainseg.config.builtin, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"^segmenter=builtin: brainseg comes with no such model, only for"):
        options("input=x", "output=y", "skullstripper=null", "classifier=null")
