"""identify=content: scans whose names say nothing are predicted, and names that contradict are warned of."""

import json
import shutil

import pytest

import brainseg
from brainseg.config.errors import DataError
from brainseg.phantom.cohort import write_cohort
from brainseg.prediction.dry_run import dry_run
from brainseg.prediction.run import run

QUICK = ("classifier=null", "segmenter=null", "montage=false")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads") / "bids"
    write_cohort(folder, layout="bids", subjects=1, seed=5, spacing_mm=3.0, types=["notumor"])
    return folder / "sub-001" / "anat"


def test_files_whose_names_say_nothing_are_predicted_when_asked(options, head, tmp_path, capsys):
    folder = tmp_path / "in" / "p1"
    folder.mkdir(parents=True)
    for number, word in enumerate(("sub-001_T1w", "ce-gadolinium_T1w", "T2w")):
        (path,) = head.glob(f"*{word}.nii.gz")
        shutil.copy(path, folder / f"scan{number}.nii.gz")
    with pytest.raises(DataError, match="its name does not say which sequence"):
        dry_run(options(tmp_path / "in", *QUICK))
    asked = options(tmp_path / "in", *QUICK, "identify=content")
    capsys.readouterr()
    assert dry_run(asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 subject; 3 files: 3 used" in said
    assert run(asked) == 0
    out = tmp_path / "out"
    result = json.loads((out / "p1" / "result.json").read_text())
    assert {one["role"]: one["file"][-12:] for one in result["files"]} == {
        "t1": "scan0.nii.gz"[-12:],
        "t1ce": "scan1.nii.gz"[-12:],
        "t2": "scan2.nii.gz"[-12:],
    }
    assert all("by its content (CSF/white" in one["why"] for one in result["files"])
    assert sum("was named" in one for one in result["warnings"]) == 3
    assert "by its content (CSF/white" in (out / "files.csv").read_text()


def test_a_name_that_its_content_contradicts_is_kept_with_a_warning(options, head, tmp_path):
    (path,) = head.glob("*T2w.nii.gz")
    (tmp_path / "in").mkdir()
    shutil.copy(path, tmp_path / "in" / "a_t1.nii.gz")
    assert run(options(tmp_path / "in", *QUICK, "identify=content")) == 0
    warnings = json.loads((tmp_path / "out" / "a" / "result.json").read_text())["warnings"]
    assert len([one for one in warnings if "was taken as t1, but looks like t2: CSF/white" in one]) == 1


def test_python_asks_in_the_same_way(head, tmp_path):
    (path,) = head.glob("*T2w.nii.gz")
    folder = tmp_path / "p1"
    folder.mkdir()
    shutil.copy(path, folder / "scan.nii.gz")
    with pytest.raises(DataError, match="does not say which sequence"):
        brainseg.predict(folder, {"skullstripper": "otsu"}, device="cpu", gates="none")
    found = brainseg.predict(
        folder, {"skullstripper": "otsu"}, device="cpu", gates="none", identify="content"
    )
    assert list(found.inputs) == ["t2"]
