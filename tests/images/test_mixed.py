"""DICOM and NIfTI below one input: each patient is read once, and label maps go with their study."""

import numpy as np
import pytest

from brainseg.images.fates import Fate
from brainseg.images.layouts import survey

UPRIGHT = np.array([[-2.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])


@pytest.fixture
def study(write_dicom, tmp_path):
    """Write a T1 series, or another, of a patient into a folder."""
    array = np.random.default_rng(3).permutation(7 * 9 * 12).reshape(7, 9, 12).astype(np.int16)

    def _study(folder, patient="X9", slices=12, **headers):
        return write_dicom(tmp_path / folder, array[..., :slices], UPRIGHT, PatientID=patient, **headers)

    return _study


def layouts(root):
    return {one.id: (one.layout, list(one.images)) for one in survey(root).subjects}


def fates_below(root, folder):
    return {one.why for one in survey(root).fates for path in one.paths if path.is_relative_to(root / folder)}


@pytest.mark.parametrize(
    ("scan", "folder"),
    [
        ("p2/p2_t1.nii.gz", "p1"),
        ("p2_t1.nii.gz", "p1"),
        ("site/p2/t1.nii.gz", "site/p1/T1"),
        ("p2/nifti/t1.nii.gz", "p1/dicom"),
        ("nifti/p2/t1.nii.gz", "dicom/p1"),
        ("p1/2019/t1.nii.gz", "p1/2020"),
    ],
)
def test_two_patients_are_two_subjects_whatever_their_formats(scan, folder, study, touch):
    root = touch(scan)
    study(folder)
    found = layouts(root)
    assert len(found) == 2
    assert found["X9"] == ("dicom", ["t1"])


@pytest.mark.parametrize(
    ("scan", "folder"),
    [
        ("p1/p1_t1.nii.gz", "p1"),
        ("p1/scan_t1.nii.gz", "p1"),
        ("p1/nifti/scan_t1.nii.gz", "p1/dicom/5_T1_mprage"),
        ("nifti/p1/t1.nii.gz", "dicom/p1"),
        ("p1_t1.nii.gz", "p1"),
        ("t1.nii.gz", "p1/T1"),
        ("nifti/X9_t1.nii.gz", "dicom"),
        ("sub-X9/anat/sub-X9_T1w.nii.gz", "raw/007"),
    ],
)
def test_nifti_beside_its_source_is_read_and_the_dicom_left_out(scan, folder, study, touch):
    root = touch(scan, "other/other_t1.nii.gz") if "/" in scan else touch(scan)
    files = study(folder)
    found = survey(root)
    assert all(one.layout != "dicom" for one in found.subjects)
    left = [one for one in found.fates if set(one.paths) & set(files)]
    assert {one.fate for one in left} == {Fate.left_out}
    (why,) = {one.why for one in left}
    assert "is DICOM of " in why
    assert "whose NIfTI scans are read" in why
    assert {one.subject for one in left} <= {one.id for one in found.subjects}
    assert all(one.warnings == () for one in found.subjects)


def test_a_sequence_that_only_the_dicom_has_is_said(study, touch):
    root = touch("p1/t1.nii.gz")
    study("p1/dicom/a")
    study("p1/dicom/b", SeriesNumber=2, SeriesDescription="FLAIR")
    (subject,) = survey(root).subjects
    (warning,) = subject.warnings
    assert "hold flair too" in warning


def test_where_several_may_belong_together_all_are_read(study, touch):
    root = touch("site/a_t1.nii.gz", "site/b_t1.nii.gz")
    study("site")
    assert set(layouts(root)) == {"a", "b", "X9"}


def test_label_maps_and_masks_go_with_the_study_beside_them(study, touch):
    root = touch("p1/p1_seg.nii.gz", "p1/p1_brainmask.nii.gz", "labels/p2_seg.nii.gz", "q/q_seg.nii.gz")
    study("p1/T1", "X1")
    study("dicom/p2", "X2")
    found = {one.id: one for one in survey(root).subjects}
    assert found["X1"].truth.name == "p1_seg.nii.gz"
    assert found["X1"].brain_mask.name == "p1_brainmask.nii.gz"
    assert found["X2"].truth.name == "p2_seg.nii.gz"
    roles = {one.path.name: (str(one.fate), one.role, one.subject) for one in survey(root).fates}
    assert roles["p1_seg.nii.gz"] == ("used", "truth", "X1")
    assert roles["q_seg.nii.gz"] == ("left out", "", "")


def test_one_label_map_beside_two_studies_is_nobodys(study, touch):
    root = touch("seg.nii.gz")
    study("p1", "X1")
    study("p2", "X2")
    assert all(one.truth is None for one in survey(root).subjects)


def test_files_of_no_use_beside_nifti_scans_have_their_own_reasons(study, touch):
    root = touch("p2/t1.nii.gz")
    study("ct", Modality="CT")
    assert list(layouts(root)) == ["p2"]
    assert fates_below(root, "ct") == {"series 1 't1' is CT, not MR"}


@pytest.mark.parametrize(
    ("headers", "fails"),
    [
        ({"SeriesDescription": "head"}, True),
        ({"ImagePositionPatient": None}, True),
        ({"SeriesDescription": "T2 tse", "slices": 6}, True),
        ({"Modality": "CT"}, False),
        ({"SeriesDescription": "localizer", "slices": 5}, False),
        ({"SeriesDescription": "head", "slices": 3}, False),
        ({"SeriesDescription": "ADC"}, False),
    ],
)
def test_a_patient_whose_scans_are_all_unusable_fails_and_one_without_scans_is_left_out(
    headers, fails, study, touch
):
    root = touch("p2/t1.nii.gz")
    study("p1", **headers)
    found = {one.id: one.fault for one in survey(root).subjects}
    assert set(found) == ({"p2", "X9"} if fails else {"p2"})
    if fails:
        assert "no MR series can be used: series 1" in found["X9"]
        (why,) = fates_below(root, "p1")
        assert why.startswith("series 1 '")


def test_two_label_maps_cost_the_label_maps_and_not_the_scan(touch):
    root = touch("a/a_t1.nii.gz", "a/a_seg.nii.gz", "a/a_segmentation.nii.gz", "a/a_brainmask.nii.gz")
    (subject,) = survey(root).subjects
    assert list(subject.images) == ["t1"]
    assert subject.truth is None
    assert subject.brain_mask is not None
    (warning,) = subject.warnings
    assert "both claim to be the truth" in warning
    assert "both claim to be the truth of one subject; move one of them away" in subject.label_fault
    left = {one.path.name: one.why for one in survey(root).fates if one.fate is Fate.left_out}
    assert set(left) == {"a_seg.nii.gz", "a_segmentation.nii.gz"}


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n (1).nii.gz", "t1"),
        ("BraTS-GLI-00001-000/BraTS-GLI-00001-000-t2f(2).nii.gz", "flair"),
        ("a/a_t1 (1).nii.gz", "t1"),
        ("a/a_t1ce - Copy.nii.gz", "t1ce"),
        ("sub-1/anat/sub-1_T1w (1).nii.gz", "t1"),
        ("p/t2(1).nii.gz", "t2"),
    ],
)
def test_the_only_copy_of_a_scan_is_the_scan(name, sequence, touch):
    (subject,) = survey(touch(name)).subjects
    assert list(subject.images) == [sequence]
    assert "(" not in subject.id


def test_what_is_called_as_a_copy_stands_back_and_is_said(touch):
    root = touch(
        "a/a_t1.nii.gz", "a/a_t1 (1).nii.gz", "a/a_t2.nii.gz", "a/a_t2 (1).nii.gz", "a/a_seg (1).nii"
    )
    for name, text in (("a_t1", "one"), ("a_t1 (1)", "two"), ("a_t2", "same"), ("a_t2 (1)", "same")):
        (root / "a" / f"{name}.nii.gz").write_text(text)
    (subject,) = survey(root).subjects
    assert subject.truth.name == "a_seg (1).nii"
    assert {one: source.path.name for one, source in subject.images.items()} == {
        "t1": "a_t1.nii.gz",
        "t2": "a_t2.nii.gz",
    }
    said = {one.path.name: (str(one.fate), one.why) for one in subject.fates}
    assert said["a_t1 (1).nii.gz"] == ("left out", "is called as a copy of a_t1.nii.gz, but differs from it")
    assert said["a_t2 (1).nii.gz"] == ("copy", "copy of a_t2.nii.gz")
    (warning,) = subject.warnings
    assert warning.startswith("t1 is a_t1.nii.gz; a_t1 (1).nii.gz is called as its copy")
