"""Every file is accounted for, a bad subject is only itself, and names say what they mean."""

import json
import os
import shutil

import numpy as np
import pytest

from brainseg.config.errors import ImageError
from brainseg.images.dicom_file import is_dicom
from brainseg.images.fates import Fate
from brainseg.images.layouts import find_subjects, survey
from brainseg.images.source import Source, read


def sequences(path, **kwargs):
    """{id: {sequence: file name}}."""
    found = survey(path, **kwargs).subjects
    return {one.id: {name: source.path.name for name, source in one.images.items()} for one in found}


def fates(path):
    """{path from the start on: (fate, role, subject)}."""
    return {
        file.relative_to(path).as_posix(): (str(one.fate), one.role, one.subject)
        for one in survey(path).fates
        for file in one.paths
    }


def whys(path):
    return {file.name: one.why for one in survey(path).fates for file in one.paths}


@pytest.fixture
def write(tmp_path):
    """Write files with a text each."""

    def _write(**texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return lambda texts: _write(**texts)


def test_every_file_ends_in_one_of_four_lists(write):
    root = write(
        {
            "a/a_t1.nii": "one",
            "a/a_t1 (1).nii": "one",
            "a/a_seg.nii": "label",
            "a/a_adc.nii": "adc",
            "a/a_t1_stripped.nii": "ours",
            "a/notes.txt": "text",
            "a/.a_t1.nii.swp": "hidden",
            "derivatives/x/b_t1.nii": "made",
            ".git/c_t1.nii": "old",
            "README": "read me",
        }
    )
    found = fates(root)
    assert set(found) == {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    assert found["a/a_t1.nii"] == ("used", "t1", "a")
    assert found["a/a_seg.nii"] == ("used", "truth", "a")
    assert found["a/a_t1 (1).nii"] == ("copy", "", "a")
    assert {name for name, (fate, *_) in found.items() if fate == "left out"} == set(found) - {
        *("a/a_t1.nii", "a/a_seg.nii", "a/a_t1 (1).nii")
    }
    assert found["a/notes.txt"][2] == "a"
    assert found["README"][2] == ""
    said = whys(root)
    assert said["a_adc.nii"] == "is diffusion, by the words in its name"
    assert said["a_t1 (1).nii"] == "copy of a_t1.nii"
    assert "stripped" in said["a_t1_stripped.nii"]


def test_a_copy_is_one_whether_packed_or_not(save, scan, tmp_path):
    save("x_t1.nii", scan)
    packed = save("other/x_t1.nii.gz", scan)
    shutil.move(packed, tmp_path / "x_t1.nii.gz")
    (subject,) = survey(tmp_path).subjects
    assert [one.fate for one in subject.fates] == [Fate.used, Fate.copy]


def test_a_file_that_may_not_be_read_stops_no_dicom_study(write_dicom, tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(1, 900, (6, 7, 12)).astype(np.int16)
    write_dicom(tmp_path / "a", array, np.diag([-1.0, -1.0, 4.0, 1.0]))
    (tmp_path / "closed").touch()

    def refuses(path):
        if path.name == "closed":
            raise ImageError(f"{path}: cannot be read (permission denied); make it readable or move it away")
        return is_dicom(path)

    monkeypatch.setattr("brainseg.images.layouts.is_dicom", refuses)
    assert list(sequences(tmp_path)) == ["P1"]
    assert fates(tmp_path)["closed"][0] == "unreadable"


def test_a_subject_in_the_root_does_not_own_other_folders(touch):
    root = touch("a_t1.nii.gz", "note.txt", "other/scan.nii.gz", "b/b_t1.nii.gz", "b/deep/er/note.txt")
    found = fates(root)
    assert [found[name][2] for name in ("note.txt", "other/scan.nii.gz", "b/deep/er/note.txt")] == [
        "a",
        "",
        "b",
    ]


def test_a_folder_that_may_not_be_listed_is_unreadable(touch, monkeypatch):
    root = touch("a/a_t1.nii.gz", "b/b_t1.nii.gz")
    scandir = os.scandir

    def closed(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert fates(root)["b"] == ("unreadable", "", "")
    assert whys(root)["b"] == "is a folder that cannot be listed (permission denied)"


def test_an_ambiguous_subject_has_a_fault_and_the_others_none(write):
    root = write({"B_t1c.nii": "1", "B_t1gd.nii": "2", "A_t1.nii": "3", "C_t1_flair.nii": "4"})
    a, b, c = survey(root).subjects
    assert (a.fault, list(a.images)) == (None, ["t1"])
    assert "B_t1c.nii and B_t1gd.nii both claim to be the t1ce of one subject; move one" in b.fault
    assert (b.images, [one.fate for one in b.fates]) == ({}, [Fate.left_out] * 2)
    assert "may be a T1-weighted FLAIR or the FLAIR of time point 1" in c.fault
    with pytest.raises(ImageError, match="both claim"):
        find_subjects(root)


def test_files_of_one_patient_are_no_other_s(write_dicom, tmp_path):
    array = np.arange(7 * 9 * 12, dtype=np.int16).reshape(7, 9, 12)
    affine = np.diag([-8.0, 8, 8, 1])
    write_dicom(tmp_path / "in" / "a", array, affine, PatientID="A")
    write_dicom(tmp_path / "in" / "a" / "more", array + 1, affine, PatientID="A", SeriesDescription="DTI")
    write_dicom(tmp_path / "in" / "b", array + 2, affine, PatientID="B", SeriesDescription="DTI")
    write_dicom(tmp_path / "in" / "a", array + 3, affine, "c.dcm", PatientID="C", Modality="CT")
    (tmp_path / "in" / "a" / "notes.txt").touch()
    (tmp_path / "in" / "b" / "notes.txt").touch()
    (tmp_path / "in" / "notes.txt").touch()
    found = fates(tmp_path / "in")
    assert {subject for _, role, subject in found.values() if role} == {"A"}
    assert {name: found[name][2] for name in found if name.endswith("notes.txt")} == {
        "a/notes.txt": "",  # A's or C's
        "b/notes.txt": "B",
        "notes.txt": "",
    }
    assert {found[name][2] for name in found if name.startswith("a/more")} == {"A"}
    assert {found[name][2] for name in found if name.startswith("b/")} == {"B"}
    assert {found[name][2] for name in found if name.endswith("c.dcm")} == {"C"}


def test_all_beside_the_only_patient_in_the_input_is_the_patient_s(write_dicom, tmp_path):
    array = np.arange(7 * 9 * 12, dtype=np.int16).reshape(7, 9, 12)
    write_dicom(tmp_path, array, np.diag([-8.0, 8, 8, 1]))
    (tmp_path / "notes.txt").touch()
    assert fates(tmp_path)["notes.txt"][2] == "P1"


def test_two_t1_series_of_one_study_stop_no_other_study(write_dicom, tmp_path):
    array = np.random.default_rng(0).integers(1, 900, (6, 7, 12)).astype(np.int16)
    for name, patient in (("t1 tra", "P1"), ("t1 tra rpt", "P1"), ("t2", "P2")):
        headers = {"PatientID": patient, "SeriesDescription": name, "StudyInstanceUID": f"1.2.{patient[1]}"}
        write_dicom(tmp_path / name, array, np.diag([-1.0, -1.0, 4.0, 1.0]), **headers)
    first, second = survey(tmp_path).subjects
    assert "'t1 tra' and series 1 't1 tra rpt' of one study claim to be the t1" in first.fault
    assert list(second.images) == ["t2"]
    assert len({file for one in survey(tmp_path).fates for file in one.paths}) == 36


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("x_fla", "flair"),
        ("x_CT1", "t1ce"),
        ("x_cT1", "t1ce"),
        ("x_T1pre", "t1"),
        ("x_T1post", "t1ce"),
        ("x_T1wC", "t1ce"),
        ("x_3DT1", "t1"),
        ("x_T2-weighted", "t2"),
        ("x_T1_unstripped", "t1"),
        ("x_T1_bias", "t1"),
        ("x_t1_mprage_sag_20200101_5", "t1"),
        ("x_T1_MPRAGE_SAG_KM_7", "t1ce"),
        ("x_t2_tse_tra_6", "t2"),
        ("x_t2_space_dark-fluid_sag_8", "flair"),
        ("x_3d_brain_flair_cor_9", "flair"),
        ("x_FLAIR_registered_to_T1", "flair"),
        ("x_T2_in_T1_space", "t2"),
        ("x_t1ce_to_t1", "t1ce"),
        ("x_gd_t1", "t1ce"),
        ("x_ax_ce_T1w", "t1ce"),
        ("x_T1_pre_contrast", "t1"),
        ("x_AX_T1_POST", "t1ce"),
        ("x_FLAIR_post", "flair"),
        ("x_T2_pre", "t2"),
        ("x_t1_mprage_post", "t1ce"),
        ("x_tirm_tra_dark-fluid", "flair"),
    ],
)
def test_a_sequence_by_words_anywhere_in_a_name(name, sequence, touch):
    root = touch(f"{name}.nii.gz")
    ((identity, images),) = sequences(root).items()
    assert images == {sequence: f"{name}.nii.gz"}
    assert identity in ("x", "x_3d_brain")
    assert survey(root).subjects[0].warnings == ()  # none of them is a guess


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["head_t1_mprage_sag_20200101_5", "head_t2_tse_20200101_7"], ["head"]),
        (["head_t1_mprage_20200101_5", "head_t1_mprage_20200601_5"], ["head_20200101", "head_20200601"]),
        (["T1_001", "T1_002", "FLAIR_001"], ["001", "002"]),
        (["sub-01_t1_mprage_5", "sub-01_flair_tra_6"], ["sub-01"]),
        (["EPI_001_t1_mprage_5", "EPI_001_t2_tse_6", "EPI_001_ep2d_diff_7"], ["EPI_001"]),
    ],
)
def test_whose_a_scan_of_dcm2niix_is(names, ids, touch):
    assert list(sequences(touch(*(f"{name}.nii.gz" for name in names)))) == ids


def test_a_technique_alone_is_a_t1_with_a_warning(touch):
    (subject,) = survey(touch("x_mprage.nii.gz")).subjects
    assert list(subject.images) == ["t1"]
    assert "x_mprage.nii.gz was taken as t1; nothing names a contrast agent" in subject.warnings[0]


def test_pre_and_post_alone_are_taken_by_the_agent_and_said(touch):
    (subject,) = survey(touch("x_PRE.nii.gz", "x_POST.nii.gz")).subjects
    assert list(subject.images) == ["t1", "t1ce"]
    assert "pre contrast agent and not pre surgery" in subject.warnings[0]


@pytest.mark.parametrize(
    ("sidecar", "sequence"),
    [
        ({"SeriesDescription": "Ax T2 FLAIR"}, "flair"),
        ({"SeriesDescription": "sag mprage +C", "ImageType": ["ORIGINAL", "PRIMARY", "M"]}, "t1ce"),
        ({"SeriesDescription": "T1 mprage", "ContrastBolusIngredient": "GADOLINIUM"}, "t1ce"),
        ({"EchoTime": 0.1, "RepetitionTime": 9.0, "InversionTime": 2.5}, "flair"),  # seconds
        ({"EchoTime": 0.09, "RepetitionTime": 4.5}, "t2"),
    ],
)
def test_the_sidecar_of_dcm2niix_names_what_the_name_does_not(sidecar, sequence, touch):
    root = touch("anna_5.nii.gz", "anna_6.nii.gz")
    (root / "anna_5.json").write_text(json.dumps({"Modality": "MR", **sidecar}))
    assert sequences(root) == {"anna": {sequence: "anna_5.nii.gz"}}
    assert fates(root)["anna_5.json"] == ("used", sequence, "anna")
    assert fates(root)["anna_6.nii.gz"][0] == "left out"


def test_the_sidecar_s_protocol_is_no_part_of_the_patient(touch):
    root = touch("anna_Kopf_nativ_5.nii.gz", "anna_Kopf_dunkel_6.nii.gz")
    for number, name, echo in ((5, "nativ", 0.003), (6, "dunkel", 0.1)):
        values = {"ProtocolName": f"Kopf {name}", "EchoTime": echo, "RepetitionTime": 2.0}
        values["InversionTime"] = 0.9 if number == 5 else 2.2
        (root / f"anna_Kopf_{name}_{number}.json").write_text(json.dumps(values))
    assert {one: sorted(images) for one, images in sequences(root).items()} == {"anna": ["flair", "t1"]}


@pytest.mark.parametrize(
    "sidecar",
    [
        {"SeriesDescription": "DTI 64"},
        {"SeriesDescription": "T1 MAP"},
        {"SeriesDescription": "t1", "Modality": "CT"},
        {"SeriesDescription": "t2", "ImageType": ["DERIVED", "SECONDARY", "MPR"]},
    ],
)
def test_the_sidecar_says_that_it_is_something_else(sidecar, touch):
    root = touch("anna_5.nii.gz", "anna_t1.nii.gz")
    (root / "anna_5.json").write_text(json.dumps(sidecar))
    assert sequences(root) == {"anna": {"t1": "anna_t1.nii.gz"}}
    assert "by its sidecar anna_5.json" in whys(root)["anna_5.nii.gz"]
    assert whys(root)["anna_5.json"] == "goes with anna_5.nii.gz"


@pytest.mark.parametrize(
    ("name", "sidecar", "warns"),
    [
        ("x_t1", "t2_tse_tra", True),
        ("x_t2", "t1_mprage", True),
        ("x_t1", "t1_mprage_km", True),
        ("x_t1", "t1_mprage", False),
        ("x_t1ce", "t1_mprage", False),
        ("x_flair", "t2_tirm", False),
        ("x_t1", "head", False),
        ("x_t1", "ep2d_diff_ADC", True),
        ("x_t1", {"SeriesDescription": "head", "Modality": "PT"}, True),
        ("x_t1", {"SeriesDescription": "t1", "ImageType": ["DERIVED", "SECONDARY", "MPR"]}, False),
        ("x_t1", "t1_mp2rage_UNI", False),
    ],
)
def test_a_sidecar_that_contradicts_the_name_is_said(name, sidecar, warns, touch):
    root = touch(f"{name}.nii.gz")
    values = sidecar if isinstance(sidecar, dict) else {"SeriesDescription": sidecar}
    (root / f"{name}.json").write_text(json.dumps(values))
    (subject,) = survey(root).subjects
    assert [f"by {name}.json" in warning for warning in subject.warnings] == [True] * warns
    assert whys(root)[f"{name}.json"] == "is a sidecar that its scan is named without"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"SeriesDescription": 7}', '{"EchoTime": "long"}'])
def test_a_sidecar_that_says_nothing_does_no_harm(text, touch):
    root = touch("a_t1.nii.gz", "b_5.nii.gz")
    (root / "b_5.json").write_text(text)
    assert list(sequences(root)) == ["a"]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("x_tumor_segmentation", "truth"),
        ("x_segmentations", "truth"),
        ("x_tumorMask", "truth"),
        ("x_tumor_mask", "truth"),
        ("x_gtv", "truth"),
        ("x_tumour", "truth"),
        ("x_t1_seg", "truth"),
        ("x_brain_segmentation", "brain mask"),
        ("x_t1_bet_mask", "brain mask"),
        ("x_mask_native_t1", ""),
        ("x_mask_t1", ""),
        ("x_seg_t1", ""),
        ("x_brain_mask", ""),
        ("x_tumor_labels", ""),
        ("x_roi_flair", ""),
        ("x_brain_parenchyma_segmentation", ""),
    ],
)
def test_words_for_masks_win_over_words_for_sequences(name, role, touch):
    root = touch("x_t1.nii.gz", f"{name}.nii.gz")
    assert sequences(root) == {"x": {"t1": "x_t1.nii.gz"}}
    fate = "used" if role else "left out"
    assert fates(root)[f"{name}.nii.gz"] == (fate, role, "x")


def test_a_scan_of_two_values_is_refused_as_a_mask(save, scan):
    path = save("x_t1.nii.gz", (scan > 100).astype(np.float32))
    with pytest.raises(ImageError, match=r"x_t1.nii.gz: holds the values 0 and 1 alone, so it is a mask and"):
        read(Source(path))
    path = save("y_t1.nii.gz", np.minimum(scan, 2))
    assert read(Source(path)).data.max() == 2


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["p1/2019", "p1/2020", "p2/2019"], ["p1_2019", "p1_2020", "p2_2019"]),
        (["p1/2019", "p2/2020"], ["p1_2019", "p2_2020"]),
        (["p1/a", "p1/b", "p2/a", "p3/c"], ["p1_a", "p1_b", "p2_a", "p3_c"]),
        (["anna", "ben"], ["anna", "ben"]),
        (["study/anna", "study/ben"], ["anna", "ben"]),
        (["p1/anat", "p2/anat"], ["p1_anat", "p2_anat"]),
    ],
)
def test_the_id_always_carries_the_patient(names, ids, touch):
    assert list(sequences(touch(*(f"{name}/t1.nii.gz" for name in names)))) == ids


def test_the_id_is_the_same_from_the_patient_s_folder_and_for_one_file(touch):
    root = touch("p1/2019/t1.nii.gz", "p1/2020/t1.nii.gz")
    assert list(sequences(root / "p1")) == ["p1_2019", "p1_2020"]
    assert list(sequences(root / "p1" / "2019")) == ["p1_2019"]
    assert list(sequences(root / "p1" / "2019" / "t1.nii.gz")) == ["p1_2019"]


def test_a_folder_named_by_a_sequence(touch):
    root = touch("p1/T1/scan.nii.gz", "p1/FLAIR/scan.nii.gz", "p2/T1/T1.nii.gz")
    assert sequences(root) == {
        "p1": {"t1": "scan.nii.gz", "flair": "scan.nii.gz"},
        "p2": {"t1": "T1.nii.gz"},
    }
    root = touch("set/t1/7.nii.gz", "set/t1/8.nii.gz", "set/t2/7.nii.gz", "set/t2/8.nii.gz")
    assert {one: sorted(images) for one, images in sequences(root / "set").items()} == {
        "7": ["t1", "t2"],
        "8": ["t1", "t2"],
    }


def test_the_whole_head_stands_back_where_the_stripped_one_is_there(touch):
    root = touch("x_t1.nii.gz", "x_t1_unstripped.nii.gz", "x_flair_unstripped.nii.gz")
    assert sequences(root) == {"x": {"t1": "x_t1.nii.gz", "flair": "x_flair_unstripped.nii.gz"}}
    assert whys(root)["x_t1_unstripped.nii.gz"] == "x_t1.nii.gz goes first as the t1"
