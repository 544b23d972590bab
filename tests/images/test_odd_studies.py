"""Studies that hold more, or less, than one patient's whole series; tasks that are none of the head."""

import json

import numpy as np
import pytest

from brainseg.config.errors import DataError
from brainseg.images.dicom_naming import named
from brainseg.images.layouts import survey

ARRAY = np.arange(7 * 9 * 12, dtype=np.int16).reshape(7, 9, 12)
AFFINE = np.diag([-8.0, 8, 8, 1])


@pytest.mark.parametrize(
    ("one", "other", "are_several"),
    [
        ({"PatientName": "Albers^A"}, {"PatientName": "Berta^B"}, True),
        ({"PatientName": "Albers^A"}, {"PatientName": "Berta^B", "PatientBirthDate": "19800101"}, True),
        ({"PatientName": "Albers^A"}, {"PatientName": "ALBERS^A^^"}, False),
        ({"PatientName": "Albers^A"}, {"PatientName": None}, False),
        ({"PatientName": "Albers"}, {"PatientName": "Albers^A"}, False),
        ({"PatientName": "M\u00fcller^A"}, {"PatientName": "Mueller^A"}, False),  # born on one day
    ],
)
def test_two_patients_under_one_id_are_no_study(one, other, are_several, write_dicom, tmp_path):
    born = {} if are_several else {"PatientBirthDate": "19700101"}
    born = {"PatientBirthDate": None} if "PatientBirthDate" not in other and are_several else born
    utf8 = {"SpecificCharacterSet": "ISO_IR 192"}
    write_dicom(tmp_path / "a", ARRAY, AFFINE, **utf8 | born | one)
    write_dicom(tmp_path / "b", ARRAY, AFFINE, SeriesDescription="t2", **utf8 | born | other)
    write_dicom(tmp_path / "c", ARRAY, AFFINE, PatientID="GOOD", PatientName="Clara")
    good, odd = survey(tmp_path).subjects
    assert (good.id, list(good.images), odd.id) == ("GOOD", ["t1"], "P1")
    if are_several:
        assert odd.images == {}
        assert "patients of several names under one PatientID" in odd.fault
        assert not any(name in odd.fault for name in ("Albers", "Berta"))
    else:
        assert list(odd.images) == ["t1", "t2"]


@pytest.mark.parametrize("broken", [b"", b"\0" * 128 + b"DICM" + b"\xff" * 50])
def test_a_broken_file_among_the_slices_is_said(broken, write_dicom, tmp_path):
    paths = write_dicom(tmp_path / "a", ARRAY, AFFINE)
    paths[-1].write_bytes(broken)  # at an end, where the slices that are left make a volume
    write_dicom(tmp_path / "b", ARRAY, AFFINE, PatientID="P2")
    (tmp_path / "x.dcm").write_bytes(broken)  # among nobody's slices
    one, two = survey(tmp_path).subjects
    assert [f"{paths[-1].name} among its slices cannot be read" in said for said in one.warnings] == [True]
    assert two.warnings == ()


def test_a_t2_by_its_words_that_nulls_fluid_is_a_flair():
    said = named({"SeriesDescription": "t2_tirm_tra", "InversionTime": 2500.0})
    assert (said.sequence, "by its inversion time" in said.remark) == ("flair", True)
    for ti in (None, 160.0):  # STIR nulls fat
        header = {"SeriesDescription": "t2_tirm_cor"} | ({} if ti is None else {"InversionTime": ti})
        assert (named(header).sequence, named(header).remark) == ("t2", "")


def test_a_task_of_another_organ_stops_no_other_scan(touch):
    root = touch("liver/imagesTr/l_1.nii.gz", "head/p_t1.nii.gz")
    (root / "liver" / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}}))
    found = survey(root)
    assert [one.id for one in found.subjects] == ["p"]
    assert "names the channels CT" in next(one.why for one in found.fates if one.path.name == "l_1.nii.gz")
    with pytest.raises(DataError, match="names the channels CT"):
        survey(root / "liver")
