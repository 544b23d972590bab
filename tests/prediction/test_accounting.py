"""What a prediction says of every file, and that one bad subject is only itself."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from brainseg.config.errors import DataError
from brainseg.prediction.dry_run import dry_run
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run

QUICK = ("classifier=null", "segmenter=null", "montage=false")


@pytest.fixture
def mixed(patients, tmp_path):
    """Two patients of loose names: one is good and has a copy of a scan, the other has two flairs."""
    for number, name in ((1, "good"), (2, "bad")):
        anat = patients / f"sub-00{number}" / "anat"
        (tmp_path / "in" / name).mkdir(parents=True)
        for suffix, word in (("T1w", "t1"), ("FLAIR", "flair")):
            source = anat / f"sub-00{number}_{suffix}.nii.gz"
            shutil.copy(source, tmp_path / "in" / name / f"{name}_{word}.nii.gz")
    folder = tmp_path / "in"
    shutil.copy(folder / "good" / "good_t1.nii.gz", folder / "good" / "good_t1 (1).nii.gz")
    shutil.copy(folder / "good" / "good_flair.nii.gz", folder / "bad" / "bad_fla.nii.gz")
    (folder / "notes.txt").write_text("mine")
    return folder


def rows(output):
    with (output / "files.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"].rsplit("/", 1)[-1]: row for row in csv.DictReader(file)}


def test_an_ambiguous_subject_fails_alone(options, mixed, tmp_path, caplog):
    caplog.set_level("INFO")
    assert run(options(mixed, *QUICK, "page=true")) == 4
    out = tmp_path / "out"
    bad, good = (json.loads((out / name / "result.json").read_text()) for name in ("bad", "good"))
    assert (bad["status"], good["status"]) == ("failed", "done")
    assert "both claim to be the flair of one subject" in bad["error"]
    assert [(one["fate"], one["role"]) for one in good["files"]] == [
        ("used", "flair"),
        ("used", "t1"),
        ("copy", None),
    ]
    assert {one["fate"] for one in bad["files"]} == {"left out"}
    table = rows(out)
    assert set(table) == {path.name for path in mixed.rglob("*") if path.is_file()}
    assert table["good_t1 (1).nii.gz"] == {
        "subject": "good",
        "file": str(mixed / "good" / "good_t1 (1).nii.gz"),
        "fate": "copy",
        "role": "",
        "why": "copy of good_t1.nii.gz",
    }
    assert "7 files: 2 used, 1 copy, 4 left out; " in caplog.text
    page = (out / "good" / "report.html").read_text()
    assert "3 files: 2 used, 1 copy" in page
    assert "copy of good_t1.nii.gz" in page
    assert 'href="files.csv"' in (out / "index.html").read_text()
    assert reproduce(out / "good") == []


def test_where_no_series_can_be_used_each_file_has_its_own_reason(options, write_dicom, tmp_path):
    folder, array = tmp_path / "in", np.random.default_rng(0).integers(0, 99, (8, 9, 12)).astype(np.int16)
    upright = np.diag([-1.0, 1, 1, 1])
    ct = write_dicom(folder / "ct", array, upright, Modality="CT")
    few = write_dicom(folder / "few", array[..., :4], upright, SeriesDescription="t2", SeriesNumber=2)
    maps = write_dicom(folder / "adc", array, upright, SeriesDescription="ADC", SeriesNumber=3)
    few[0].write_bytes(few[0].read_bytes()[:300])
    with pytest.raises(DataError, match="DICOM series and files can be used"):
        run(options(folder, *QUICK))
    with (tmp_path / "out" / "files.csv").open(encoding="utf-8", newline="") as file:
        why = {row["file"]: (row["fate"], row["why"]) for row in csv.DictReader(file)}
    assert len(why) == 12 + 4 + 12
    assert {why[str(one)] for one in ct} == {("left out", "series 1 't1' is CT, not MR")}
    assert {why[str(one)] for one in few[1:]} == {
        ("left out", "series 2 't2' has only 3 slices; a head has at least 10")
    }
    assert why[str(few[0])][0] == "unreadable"
    assert "fetch it again" in why[str(few[0])][1]
    assert {why[str(one)][1] for one in maps} == {"series 3 'ADC' is diffusion"}


def test_a_file_that_cannot_be_read_is_in_the_list_of_those(options, mixed, tmp_path):
    shutil.rmtree(mixed / "bad")
    broken = mixed / "good" / "good_flair.nii.gz"
    broken.write_bytes(broken.read_bytes()[:2000])
    assert run(options(mixed, *QUICK)) == 4
    assert rows(tmp_path / "out")["good_flair.nii.gz"]["fate"] == "unreadable"
    result = json.loads((tmp_path / "out" / "good" / "result.json").read_text())
    (unreadable,) = (one for one in result["files"] if one["fate"] == "unreadable")
    assert unreadable["why"] == result["error"]


def test_files_of_earlier_results_stay_in_the_table(options, mixed, tmp_path):
    run(options(mixed / "good", *QUICK))
    run(options(mixed / "bad", *QUICK))
    assert {row["subject"] for row in rows(tmp_path / "out").values()} == {"good", "bad"}


def test_a_dry_run_prints_the_table_and_writes_nothing(options, mixed, tmp_path, capsys):
    assert dry_run(options(mixed, *QUICK)) == 4
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "good_t1.nii.gz" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        *("good", "t1", "good/good_t1.nii.gz", "used", "the last word, t1"),
    ]
    assert "bad would fail: " in out
    assert "2 subjects; 7 files: 2 used, 1 copy, 4 left out" in out
    assert not (tmp_path / "out").exists()
    (mixed / "good" / "good_t1.nii.gz").write_bytes(b"no scan")
    shutil.rmtree(mixed / "bad")
    assert dry_run(options(mixed, *QUICK)) == 4
    assert "unreadable" in capsys.readouterr().out


def test_a_dry_run_of_good_files_ends_with_0(options, patients, capsys):
    assert dry_run(options(patients)) == 0
    assert "2 subjects; 24 files: 8 used, 16 left out" in capsys.readouterr().out


def test_a_dry_run_of_no_scan_says_of_every_file_why(options, write_dicom, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x_adc.nii").write_text("map")
    with pytest.raises(DataError, match=r"no scan found; .*: x_adc.nii \(is diffusion, by the words in its"):
        dry_run(options(tmp_path / "in", *QUICK))
    assert "x_adc.nii │ left out" in capsys.readouterr().out
    array = np.random.default_rng(0).integers(1, 900, (6, 7, 12)).astype(np.int16)
    write_dicom(tmp_path / "ct", array, np.eye(4), Modality="CT")
    with pytest.raises(DataError, match="is CT, not MR"):
        dry_run(options(tmp_path / "ct", *QUICK))
    assert "(12 files)" in capsys.readouterr().out


def test_a_dry_run_loads_neither_torch_nor_a_model():
    code = "import brainseg.commands.main, brainseg.prediction.dry_run, sys; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
