"""A folder of DICOM files predicted as the same head in NIfTI is, and every slice of it accounted for."""

import json
from pathlib import Path

import numpy as np
import pytest

from brainseg.config.errors import DataError
from brainseg.images.nifti import read, read_labels
from brainseg.images.volume import to_ras
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.verify import changes

DESCRIPTIONS = {
    "T1w": "t1_mprage pre",
    "ce-gadolinium_T1w": "t1_mprage",
    "T2w": "t2_tse",
    "FLAIR": "T2 FLAIR",
}
QUICK = ("classifier=null", "montage=false")


@pytest.fixture
def hospital(patients, write_dicom, tmp_path) -> Path:
    """One patient's four sequences in one folder, as a scanner stores them."""
    folder = tmp_path / "hospital" / "DICOM"
    for number, (name, description) in enumerate(DESCRIPTIONS.items(), start=3):
        (path,) = (patients / "sub-001" / "anat").glob(f"sub-001_{name}.nii.gz")
        volume = read(path)
        data = volume.data[0].astype(np.int16)
        np.testing.assert_array_equal(data, volume.data[0])
        agent = {"ContrastBolusAgent": "Gadovist"} if name.startswith("ce") else {}
        extra = {"SeriesDescription": description, "SeriesNumber": number, "PatientID": "0815", **agent}
        write_dicom(folder, data, volume.grid.affine, suffix=f"-{number}", **extra)
    (folder / "viewer.exe").write_bytes(b"MZ")
    return folder.parent


@pytest.fixture
def made(options, hospital, tmp_path) -> Path:
    assert run(options(hospital, *QUICK)) == 0
    return tmp_path / "out" / "0815"


def test_a_head_gets_the_same_masks_as_dicom_and_as_nifti(options, patients, made, tmp_path):
    assert run(options(patients / "sub-001", *QUICK, output=tmp_path / "nifti")) == 0
    for name in ("brain_mask", "tumor_labels", "t1ce_stripped", "flair_stripped"):
        dicom = to_ras(read_labels(made / f"0815_{name}.nii.gz"))
        nifti = to_ras(read_labels(tmp_path / "nifti" / "sub-001" / f"sub-001_{name}.nii.gz"))
        np.testing.assert_array_equal(dicom.data, nifti.data)
        np.testing.assert_allclose(dicom.grid.affine, nifti.grid.affine, atol=1e-4)


def test_the_result_names_the_series_and_nothing_else_of_the_headers(made):
    text = (made / "result.json").read_text()
    inputs = json.loads(text)["inputs"]
    assert {name: entry["series"] for name, entry in inputs.items()} == {
        "t1": {"number": 3, "description": "t1_mprage pre"},
        "t1ce": {"number": 4, "description": "t1_mprage"},
        "t2": {"number": 5, "description": "t2_tse"},
        "flair": {"number": 6, "description": "T2 FLAIR"},
    }
    assert all(len(entry["slices"]) == 48 and len(entry["sha256"]) == 64 for entry in inputs.values())
    for secret in ("Secret", "19700101", "Gadovist", "20240131"):
        assert not any(secret.encode() in path.read_bytes() for path in made.iterdir())


def test_what_is_done_is_skipped_and_reproduced_until_one_byte_of_a_slice_changes(
    options, made, hospital, capsys
):
    assert changes(made) == []
    assert run(options(hospital, *QUICK)) == 0
    assert "1 of them were done before" in capsys.readouterr().out
    assert reproduce(made) == []
    one = sorted(hospital.rglob("IM*-5"))[20]
    content = bytearray(one.read_bytes())
    content[-1] ^= 1
    one.write_bytes(content)
    assert changes(made) == [f"{one}: has changed since it was used"]
    with pytest.raises(DataError, match="already has results of 0815, from other scans"):
        run(options(hospital, *QUICK))
    one.unlink()
    assert changes(made) == [f"{one}: is not there any more"]


def test_a_series_that_is_no_volume_fails_that_patient_alone(options, hospital, write_dicom, tmp_path):
    array = np.random.default_rng(0).integers(0, 99, (8, 9, 14)).astype(np.int16)
    files = write_dicom(tmp_path / "hospital" / "other", array, np.diag([-1.0, 1, 1, 1]), PatientID="4711")
    files[6].unlink()
    assert run(options(hospital, "segmenter=null", *QUICK)) == 4
    assert json.loads((tmp_path / "out" / "0815" / "result.json").read_text())["status"] == "done"
    error = json.loads((tmp_path / "out" / "4711" / "result.json").read_text())["error"]
    assert "series 1 't1': IM" in error
    assert "1 missing there" in error


def test_what_was_chosen_is_among_the_result_s_warnings(options, hospital, write_dicom, tmp_path):
    array = np.random.default_rng(0).integers(0, 99, (8, 9, 14)).astype(np.int16)
    again = {"SeriesDescription": "t2_tse", "SeriesNumber": 9, "ImageType": ["DERIVED", "SECONDARY"]}
    write_dicom(hospital / "again", array, np.diag([-1.0, 1, 6, 1]), PatientID="0815", **again)
    assert run(options(hospital, "segmenter=null", *QUICK)) == 0
    assert json.loads((tmp_path / "out" / "0815" / "result.json").read_text())["warnings"] == [
        "t2 is series 5 't2_tse'; series 9 't2_tse' was left aside, as it is derived"
    ]


def test_a_forecast_reads_dicom_too(options, hospital, capsys):
    assert run(options(hospital, "segmenter=null", "forecast=true", *QUICK)) == 0
    assert "forecast: 0815 takes about" in capsys.readouterr().out
