"""A network that cannot be built and a fold that cannot be filled are found before anything is prepared."""

import subprocess
import sys
from pathlib import Path

import pytest

from brainseg.config import UserError
from brainseg.config.errors import DataError
from brainseg.data.splits import SplitRule, split_subjects
from brainseg.phantom import training_types, write_cohort
from brainseg.training.preflight import preflight

ROOT = Path(__file__).resolve().parents[2]
PHANTOM = ["data=phantom", "data.spacing_mm=8"]


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (
            ["classifier.backbone=resnet51"],
            r"backbone 'resnet51' is unknown to timm; did you mean .*resnet50",
        ),
        (["classifier.backbone=vgg16", "classifier.drop_path=0.1"], "vgg16 has no stochastic depth"),
        (["model=segmenter", "segmenter.net=dynunet", "segmenter.channels=[4,8]"], "dynunet needs channels"),
        (["model=segmenter", "data.fold=5", "data.folds=5"], r"data\.fold from 0 to folds - 1"),
        (["model=segmenter", "data.split=grouped"], r"data\.split=grouped is for slices"),
        (
            ["model=segmenter", "data.folds=5", "data.subjects=4"],
            r"data\.folds is 5, but there are 3 subjects",
        ),
        (["model=segmenter", "data.subjects=2"], "2 subjects are too few"),
        (["model=skullstripper", "data.folds=9", "data.subjects=8", "data.test_share=0"], "there are 8 subj"),
        (["data.folds=6", "data.subjects=6"], "but there are 5 subjects beside 1 to test on"),
        (["data.subjects=3"], "needs a head of each of 4 types"),
    ],
)
def test_a_training_on_phantoms_that_cannot_work_is_refused_and_nothing_is_written(
    composed, tmp_path, overrides, answer
):
    with pytest.raises(UserError, match=answer) as told:
        preflight(composed(*PHANTOM, *overrides))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", ["classifier", "segmenter", "skullstripper"])
def test_a_training_that_can_work_passes_and_writes_nothing(composed, tmp_path, task):
    preflight(composed(*PHANTOM, f"model={task}", "data.folds=3"))
    assert list(tmp_path.iterdir()) == []


def test_heads_that_are_too_few_are_refused(composed):
    with pytest.raises(DataError, match="1 subject is too few"):
        preflight(composed("model=skullstripper", "data=heads", "data.heads=1"))


@pytest.mark.parametrize(
    ("layout", "overrides", "folds"),
    [
        ("brats", ["model=segmenter", "data=brats"], 4),
        ("nfbs", ["model=skullstripper", "data=nfbs"], 4),
        ("kaggle", ["data=kaggle", "data.split=random"], 4),  # of four subjects none is in Testing
        ("kaggle", ["data=kaggle", "data.split=grouped"], 4),
    ],
)
def test_subjects_on_disk_are_counted_without_being_read(composed, tmp_path, layout, overrides, folds):
    root = tmp_path / "set"
    write_cohort(root, layout=layout, subjects=4, seed=3, spacing_mm=8.0, slices_per_subject=3)
    for scan in (*root.rglob("*.nii.gz"), *root.rglob("*.jpg")):
        scan.write_bytes(b"unreadable")
    about = [*overrides, f"data.root={root}"]
    preflight(composed(*about, f"data.folds={folds}"))
    with pytest.raises(
        DataError, match=rf"data\.folds is {folds + 1}, but there are {folds} subjects: .* or less"
    ):
        preflight(composed(*about, f"data.folds={folds + 1}"))
    assert not (tmp_path / "data").exists()


def test_a_root_that_is_not_there_is_refused(composed, tmp_path):
    for overrides in (["model=segmenter"], ["model=skullstripper"], ["model=classifier"]):
        with pytest.raises(UserError, match="nowhere"):
            preflight(composed(*overrides, f"data.root={tmp_path}/nowhere"))


@pytest.mark.parametrize("fold", range(5))
def test_folds_that_not_all_can_be_filled_are_refused_at_each_of_them(fold):
    rule = SplitRule(val_share=0.2, test_share=0.0, folds=5, fold=fold, seed=0)
    split_subjects(dict.fromkeys("abcde", ""), rule)
    with pytest.raises(
        DataError, match=r"folds is 5, but there are 4 subjects: .*set data\.folds to 4 or less"
    ):
        split_subjects(dict.fromkeys("abcd", ""), rule)


def test_the_subjects_of_a_kaggle_cohort_to_learn_from_are_known_before_it_is_written(tmp_path):
    write_cohort(tmp_path / "c", layout="kaggle", subjects=12, seed=0, spacing_mm=8.0, slices_per_subject=3)
    rows = [row.split(",") for row in (tmp_path / "c" / "subjects.csv").read_text().splitlines()[1:]]
    types = {
        subject: kind for name, subject in rows for _, kind in [name.split("/")[:2]] if kind != "notumor"
    }
    training = {
        subject: types.get(subject, "notumor") for name, subject in rows if name.startswith("Training")
    }
    assert training_types(("glioma", "meningioma", "notumor", "pituitary"), 12, 0, 0.2) == training


def test_one_training_is_refused_before_its_cohort_is_written(composed, tmp_path):
    from brainseg.training.train import train

    with pytest.raises(DataError, match=r"data\.folds is 5"):
        train(composed(*PHANTOM, "model=segmenter", "data.folds=5", "data.subjects=4", "trainer=smoke"))
    assert not (tmp_path / "data").exists()


def _sweep(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep whose jobs print their name instead of training."""
    code = (
        "import sys, types; fake = types.ModuleType('brainseg.training.train');"
        "fake.train = lambda cfg: print('TRAINED', cfg.name) or 0.0;"
        f"sys.modules['brainseg.training.train'] = fake; sys.path.insert(0, {str(ROOT)!r});"
        f"import runpy; sys.argv = ['train.py', '-m', *{list(arguments)!r}];"
        f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["classifier.backbone=resnet18,resnet51"], "backbone 'resnet51' is unknown to timm; did you mean"),
        (
            ["model=segmenter", "data.folds=5", "data.fold=0,1,2,3,4", "data.subjects=5"],
            "data.folds is 5, but",
        ),
    ],
)
def test_no_job_of_a_sweep_starts_where_one_cannot_work(tmp_path, arguments, answer):
    done = _sweep(tmp_path, *PHANTOM, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {answer}")
    assert done.stderr.endswith("none was started)\n")
    assert len(done.stderr.splitlines()) == 1
    assert "TRAINED" not in done.stdout


@pytest.mark.slow
def test_a_sweep_whose_jobs_can_all_work_runs_them_all(tmp_path):
    done = _sweep(
        tmp_path, *PHANTOM, "model=segmenter", "data.folds=3", "data.fold=0,1,2", "data.test_share=0"
    )
    assert done.stdout.count("TRAINED") == 3, done.stderr
