"""A fold that failed is said: in the result, on its page, in the terminal and in the reports."""

import json
import logging
import shutil

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from typer.testing import CliRunner

from brainseg.checkpoint import read_checkpoint
from brainseg.commands.cli import app
from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.prediction.run import run as predict
from brainseg.runs.checkpoint_file import write_checkpoint
from brainseg.training.train import train

BEST = "checkpoints/best.ckpt"


def composed(name, *overrides):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return compose(name, list(overrides))


@pytest.fixture(scope="session")
def both(tmp_path_factory, tiny):
    """Both folds of a tiny segmenter, as `train.py -m data.fold=0,1` leaves them."""
    sweep = tmp_path_factory.mktemp("both") / "sweep"
    for fold in range(2):
        places = [f"paths.run={sweep / str(fold)}", f"paths.data={sweep.parent / 'data'}"]
        folds = ["data.folds=2", f"data.fold={fold}", "data.test_share=0", "trainer.limit_val_batches=null"]
        cfg = composed("train", *tiny("segmenter"), *places, *folds, "test=false")
        train(cfg)
        (sweep / str(fold) / ".hydra").mkdir()
        OmegaConf.save(cfg, sweep / str(fold) / ".hydra" / "config.yaml")
    return sweep


@pytest.fixture
def sweep(both, tmp_path):
    return shutil.copytree(both, tmp_path / "sweep")


@pytest.fixture
def warnings_of(both, tmp_path):
    """Predicts a subject with what is given as segmenter=..., and gives back the warnings of its result."""

    def _warnings(given, *overrides):
        subject = next(path for path in sorted(both.parent.glob("data/**/BraTS*")) if path.is_dir())
        places = [f"input={subject}", f"output={tmp_path / 'out'}", "device=cpu", "gates=none"]
        options = check_predict(composed("predict", *places, f"segmenter={given}", *overrides))
        predict(options)
        (result,) = (tmp_path / "out").glob("*/result.json")
        return json.loads(result.read_text())["warnings"]

    return _warnings


def test_a_fold_without_a_checkpoint_is_said_in_the_result_on_the_page_and_in_the_log(
    sweep, warnings_of, tmp_path, caplog
):
    (sweep / "1" / BEST).unlink()
    said = f"{sweep / '1'} has no {BEST}, so it does not answer with the other one of {sweep}"
    with caplog.at_level(logging.WARNING):
        assert warnings_of(sweep, "page=true") == [said]
    assert said in caplog.text
    (page,) = (tmp_path / "out").glob("*/report.html")
    assert said in page.read_text()


def test_a_fold_without_a_folder_is_said_by_its_number(sweep, warnings_of):
    shutil.rmtree(sweep / "0")
    assert warnings_of(f"[{sweep}]", "page=false") == [
        f"{sweep} has no model of fold 0 of 2, which is missing beside the others"
    ]


def test_a_fold_whose_training_was_stopped_before_its_end_is_said(sweep, warnings_of):
    stored = read_checkpoint(sweep / "1" / BEST)
    stored["brainseg"]["fitted"] = {}
    write_checkpoint(stored, sweep / "1" / BEST)
    assert warnings_of(sweep, "page=false") == [
        f"{sweep / '1' / BEST} was not fitted to its validation scans: did its training end?"
    ]


@pytest.mark.parametrize("given", ["{0}", "{0}/0", "{0}/1/" + BEST, "[{0}/0,{0}/1]"])
def test_nothing_is_said_of_a_whole_sweep_nor_of_what_was_chosen_alone(both, warnings_of, given):
    assert warnings_of(given.format(both), "page=false") == []


def test_a_run_of_another_model_in_the_folder_is_no_missing_member(sweep, warnings_of):
    (sweep / "stripper" / ".hydra").mkdir(parents=True)
    (sweep / "stripper" / ".hydra" / "config.yaml").write_text("task: skullstripper\n")
    assert warnings_of(sweep, "page=false") == []


def report(kind, folder, output):
    return CliRunner().invoke(app, ["report", kind, str(folder), "--output", str(output)])


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_a_report_is_of_the_folds_that_are_there_and_says_which_is_not(sweep, damage, tmp_path):
    (sweep / "1" / BEST).unlink()
    if damage == "damaged":
        (sweep / "1" / BEST).write_bytes(b"half a checkpoint")
    done = report("segmentation", sweep, tmp_path / "page")
    assert done.exit_code == 0, done.exception
    said = f"{sweep / '1'} is left out: {sweep / '1' / BEST}"
    *scored, missing = json.loads((tmp_path / "page" / "segmentation.json").read_text())
    assert len(scored) == 1
    assert missing["missing"].startswith(said)
    for text in (done.output, (tmp_path / "page" / "segmentation.html").read_text()):
        assert said in text


def test_a_report_says_which_fold_has_no_folder(sweep, tmp_path):
    shutil.rmtree(sweep / "0")
    done = report("segmentation", sweep, tmp_path / "page")
    assert f"{sweep} has no model of fold 0 of 2" in done.output
    assert "fold 0 of 2" in (tmp_path / "page" / "segmentation.md").read_text()


def test_a_report_of_one_fold_misses_nothing(both, tmp_path):
    done = report("segmentation", both / "0", tmp_path / "page")
    assert done.exit_code == 0, done.exception
    assert len(json.loads((tmp_path / "page" / "segmentation.json").read_text())) == 1
    assert "missing" not in done.output


@pytest.mark.parametrize("task", ["segmenter", "skullstripper"])
def test_a_report_without_any_checkpoint_ends_in_one_line(sweep, task, tmp_path):
    for fold in range(2):
        (sweep / str(fold) / BEST).unlink()
        config = sweep / str(fold) / ".hydra" / "config.yaml"
        config.write_text(config.read_text().replace("task: segmenter", f"task: {task}"))
    done = report("segmentation" if task == "segmenter" else "skullstrip", sweep, tmp_path / "page")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "no such checkpoint" in done.stderr


def test_a_report_of_strippers_says_which_has_no_checkpoint(trained, tmp_path):
    cfg, checkpoint = trained("skullstripper")
    for name in ("a", "b"):
        shutil.copytree(checkpoint.parents[1], tmp_path / "sweep" / name)
        (tmp_path / "sweep" / name / ".hydra").mkdir(exist_ok=True)
        OmegaConf.save(cfg, tmp_path / "sweep" / name / ".hydra" / "config.yaml")
    (tmp_path / "sweep" / "a" / BEST).unlink()
    done = report("skullstrip", tmp_path / "sweep", tmp_path / "page")
    assert done.exit_code == 0, done.exception
    said = f"{tmp_path / 'sweep' / 'a'} is left out: "
    assert said in done.output
    assert said in (tmp_path / "page" / "skullstrip.html").read_text()
    assert json.loads((tmp_path / "page" / "skullstrip.json").read_text())[-1]["missing"].startswith(said)
