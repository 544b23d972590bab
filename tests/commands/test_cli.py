"""The commands as a user types them, in processes of their own, on phantoms."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainseg.config.errors import DataError
from brainseg.phantom import write_cohort
from brainseg.training.preflight import preflight

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "BRAINSEG_DATA": str(cwd / "data"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, tiny):
    """A folder in which the three models were trained by train.py, with W&B offline for the segmenter."""
    folder = tmp_path_factory.mktemp("workspace")
    for task in ("classifier", "skullstripper", "segmenter"):
        logger = ["logger=wandb"] if task == "segmenter" else []
        arguments = [*tiny(task), f"hydra.run.dir={task}", "callbacks.panels.every_n_epochs=1", *logger]
        done = command(str(ROOT / "train.py"), *arguments, cwd=folder, WANDB_MODE="offline")
        assert done.returncode == 0, done.stderr
        (folder / task / "stdout").write_text(done.stdout)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_a_run_leaves_its_config_split_metrics_curves_panels_and_two_checkpoints(workspace, task):
    run = workspace / task
    for name in (
        ".hydra/config.yaml",
        "split.json",
        "metrics.csv",
        "curves.png",
        "panels/epoch_000.png",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ):
        assert (run / name).is_file(), name
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    monitor = {"classifier": "val/accuracy", "skullstripper": "val/dice/brain", "segmenter": "val/dice/mean"}[
        task
    ]
    assert {monitor, "train/loss", "val/loss"} <= set(header)
    assert f"{task}=" in (run / "stdout").read_text()  # the line that says how to predict with it


@pytest.mark.slow
def test_wandb_gets_metrics_and_panels_without_a_network(workspace):
    (run,) = (workspace / "segmenter" / "wandb").glob("offline-run-*")
    assert list(run.glob("*.wandb"))
    assert list(run.rglob("files/media/images/panels*.png"))
    assert list(run.rglob("files/media/images/mask/*.mask.png"))


@pytest.mark.slow
def test_predict_py_predicts_a_folder_of_unseen_patients(workspace):
    write_cohort(workspace / "patients", layout="bids", subjects=2, seed=9, spacing_mm=6.0)
    models = [f"{task}={task}/checkpoints/best.ckpt" for task in ("classifier", "skullstripper", "segmenter")]
    done = command(
        str(ROOT / "predict.py"), "input=patients", "output=out", "gates=none", *models, cwd=workspace
    )
    assert done.returncode == 0, done.stderr
    for subject in ("sub-001", "sub-002"):
        assert json.loads((workspace / "out" / subject / "result.json").read_text())["status"] == "done"
    assert "results in out" in done.stdout

    (workspace / "patients" / "sub-002" / "anat" / "sub-002_FLAIR.nii.gz").write_bytes(b"broken")
    done = command(
        str(ROOT / "predict.py"), "input=patients", "output=out2", "gates=none", *models, cwd=workspace
    )
    assert done.returncode == 4  # some failed
    assert "sub-002" in done.stdout


@pytest.mark.slow
def test_resume_with_another_model_is_refused(workspace, tiny):
    last = "resume=segmenter/checkpoints/last.ckpt"
    done = command(str(ROOT / "train.py"), *tiny("skullstripper"), last, cwd=workspace)
    assert done.returncode == 2
    assert "is a run of model=segmenter, not skullstripper" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=segmenter"], "data/brats: no such folder; BraTS is at synapse.org"),
        (["model=skullstripper"], "data/nfbs: no such folder; NFBS is at"),
        (["model=classifier"], "data/kaggle: no such folder; download masoudnickparvar"),
    ],
)
def test_without_data_the_answer_says_where_to_get_it_and_that_phantoms_work(composed, arguments, message):
    with pytest.raises(DataError) as caught:
        preflight(composed(*arguments))
    assert message in str(caught.value)
    assert "data=phantom" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_without_data_a_training_ends_in_one_line(tmp_path):
    done = command(str(ROOT / "train.py"), "model=segmenter", cwd=tmp_path)
    assert done.returncode == 2
    assert "data/brats: no such folder; BraTS is at synapse.org" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_imagenet_weights_without_a_network_are_answered_in_one_line(tmp_path, tiny):
    arguments = [*tiny("classifier"), "classifier.backbone=resnet18", "classifier.pretrained=true"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "TORCH_HOME": str(tmp_path / "torch")}
    done = command(str(ROOT / "train.py"), *arguments, cwd=tmp_path, **offline)
    assert done.returncode == 2
    assert "classifier.weights" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
