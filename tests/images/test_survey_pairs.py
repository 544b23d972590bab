"""Scans of two files are one scan in what is said of files, and two scans of one name are a fault."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from brainseg.images.fates import Fate
from brainseg.images.layouts import survey
from brainseg.images.pictures import survey_pictures
from brainseg.images.preference import Choice

AFFINE = np.diag([4.0, 4, 4, 1])


@pytest.fixture
def save(tmp_path):
    def _save(name, seed=0):
        array = np.random.default_rng(seed).normal(100, 10, (8, 9, 10)).astype(np.float32)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = nib.Nifti1Pair if name.endswith(".hdr") else nib.Nifti1Image
        nib.save(kind(array, AFFINE), path)
        return path

    return _save


def fates(folder):
    return {path.name: one.fate for one in survey(folder).fates for path in one.paths}


def test_both_files_of_a_pair_are_used_and_a_pair_beside_a_file_of_its_name_is_a_fault(save, tmp_path):
    save("X_t1.hdr")
    assert fates(tmp_path) == {"X_t1.hdr": Fate.used, "X_t1.img": Fate.used}
    save("X_t1.nii.gz", seed=1)
    (subject,) = survey(tmp_path).subjects
    assert "X_t1.hdr and X_t1.nii.gz both claim to be the t1" in subject.fault
    assert set(fates(tmp_path).values()) == {Fate.left_out}


def test_a_pair_is_a_copy_where_its_voxels_are_equal_too(save, tmp_path):
    first = save("X_t1.hdr")
    shutil.copy(first, tmp_path / "X_T1w.hdr")
    shutil.copy(first.with_suffix(".img"), tmp_path / "X_T1w.img")
    assert sorted(fates(tmp_path).values()) == ["copy", "copy", "used", "used"]
    save("X_T1w.hdr", seed=1)  # the header is the same
    assert survey(tmp_path).subjects[0].fault is not None


def test_a_word_decides_between_reconstructions_in_bids(save, tmp_path):
    for name in ("rec-norm_T1w", "rec-raw_T1w"):
        save(f"sub-1/anat/sub-1_{name}.nii.gz", seed=len(name))
    assert "both claim to be the t1" in survey(tmp_path).subjects[0].fault
    for words, taken in ((["NORM"], "rec-norm"), (["-NORM"], "rec-raw")):
        (subject,) = survey(tmp_path, choice=Choice(words)).subjects
        assert taken in subject.images["t1"].path.name
        assert f"t1 is sub-1_{taken}_T1w.nii.gz, not " in subject.warnings[0]


def test_every_file_beside_pictures_is_accounted_for(tmp_path):
    from PIL import Image

    (tmp_path / "old").mkdir()
    for name in ("a.png", "a_mask.png", "old/b.png", ".c.png"):
        Image.new("L", (9, 9)).save(tmp_path / name)
    for name in ("notes.txt", "old/SHA256SUMS"):
        (tmp_path / name).write_text("")
    found = {one.path.relative_to(tmp_path).as_posix(): one for one in survey_pictures(tmp_path).fates}
    assert {name: one.why for name, one in found.items()} == {
        "a.png": "is a picture of a slice",
        "a_mask.png": "is a mask by its name",
        ".c.png": "is hidden",
        "notes.txt": "is no picture by its name",
        "old/b.png": "lies in old/, which predict.py wrote",
        "old/SHA256SUMS": "lies in old/, which predict.py wrote",
    }
    assert [name for name, one in found.items() if one.fate is Fate.used] == ["a.png"]
