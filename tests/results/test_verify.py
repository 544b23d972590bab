"""Whether every byte of a result, of its inputs and of its models counts."""

import subprocess
from pathlib import Path

import pytest

from brainseg.config.errors import DataError
from brainseg.results.read import read_result, result_folders
from brainseg.results.sums import SUMS
from brainseg.results.verify import changes


def test_an_untouched_result_has_no_changes(made):
    assert changes(made) == []
    assert result_folders(made.parent) == [made]


def test_every_file_of_the_folder_is_named_when_one_byte_of_it_changes(made, flip_a_byte):
    files = sorted(path for path in made.iterdir() if path.name != SUMS)
    assert len(files) >= 7
    for path in files:
        before = path.read_bytes()
        flip_a_byte(path)
        assert any(line.startswith(f"{path}: has changed") for line in changes(made)), path
        path.write_bytes(before)
    assert changes(made) == []
    flip_a_byte(made / SUMS)
    assert changes(made)


def test_missing_and_foreign_files_are_named(made):
    mask = made / "sub-001_brain_mask.nii.gz"
    mask.rename(made / "other.nii.gz")
    assert changes(made) == [
        f"{mask}: is not there any more",
        f"{made / 'other.nii.gz'}: is not of this result",
    ]


def test_inputs_and_models_are_checked_too(made, cohort, flip_a_byte):
    scan = cohort / "sub-001" / "anat" / "sub-001_T2w.nii.gz"
    flip_a_byte(scan)
    assert changes(made) == [f"{scan}: has changed since it was used"]
    scan.unlink()
    assert changes(made) == [f"{scan}: is not there any more"]
    models = read_result(made).models
    assert {Path(one.file).is_absolute() for members in models.values() for one in members} == {True}


def test_the_sums_are_those_of_coreutils(made):
    checked = subprocess.run(["sha256sum", "-c", SUMS], cwd=made, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert len(checked.stdout.splitlines()) == len(list(made.iterdir())) - 1


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no result\.json; give a folder that predict\.py wrote"):
        result_folders(tmp_path)
