"""Folders of the Kaggle LGG set predicted as volumes: colours of their pictures are the sequences."""

import json

import numpy as np
import pytest
from PIL import Image

from brainseg.config.errors import LabelError
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.images.layouts import find_subjects
from brainseg.images.lgg import read_tumor
from brainseg.images.lgg_patients import survey_lgg
from brainseg.images.nifti import read_labels, write
from brainseg.images.source import read
from brainseg.images.volume import to_ras
from brainseg.prediction.dry_run import dry_run
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.verify import changes

QUICK = ("classifier=null", "segmenter=null", "montage=false")


@pytest.fixture
def write_patient(patients):
    """Write a phantom's T1, FLAIR and T1ce as the set has them; the phantom's own volumes come back."""

    def _write(folder, *, masks=True, without=()):
        (subject,) = find_subjects(patients / "sub-001")
        upright = {name: to_ras(read(subject.images[name])).data[0] for name in ("t1", "flair", "t1ce")}
        rows = {}
        for name, image in upright.items():
            grey = np.clip(image / np.percentile(image, 99.5) * 255, 0, 255).astype(np.uint8)
            rows[name] = grey[::-1, ::-1].transpose(1, 0, 2)  # left is the patient's right, the face looks up
        colours = [rows["flair" if name in without else name] for name in ("t1", "flair", "t1ce")]
        folder.mkdir(parents=True)
        for k in range(rows["t1"].shape[2]):
            stem = f"{folder.name}_{k + 1}"
            Image.fromarray(np.stack([one[..., k] for one in colours], axis=-1)).save(folder / f"{stem}.tif")
            if masks:
                Image.fromarray(np.zeros(rows["t1"].shape[:2], np.uint8)).save(folder / f"{stem}_mask.tif")
        return rows

    return _write


def test_a_folder_of_patients_is_predicted_as_volumes(options, write_patient, tmp_path):
    root = tmp_path / "kaggle_3m"
    rows = write_patient(root / "TCGA_XX_1_20000101")
    write_patient(root / "TCGA_XX_2_20000101", masks=False, without=("t1ce",))
    (root / "data.csv").write_text("x")
    assert run(options(root, *QUICK)) in (0, 3)
    out = tmp_path / "out" / "TCGA_XX_1_20000101"
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "done"
    n = rows["t1"].shape[2]
    for name in ("t1", "flair", "t1ce"):
        assert f"{name}: its pictures hold no voxel size, and 0.94 x 0.94 x {150 / n:.3g} mm" in str(
            result["warnings"]
        )
        assert len(result["inputs"][name]["slices"]) == n
        assert "series" not in result["inputs"][name]
    assert [(one["role"], one["count"]) for one in result["files"]] == [("t1, t1ce, flair", n), ("truth", n)]
    stripped = read_labels(out / "TCGA_XX_1_20000101_brain_mask.nii.gz")
    assert stripped.grid.orientation == "LPS"
    assert changes(out) == []
    assert reproduce(out) == []
    other = json.loads((tmp_path / "out" / "TCGA_XX_2_20000101" / "result.json").read_text())
    assert set(other["inputs"]) == {"t1", "flair"}
    assert "t1ce is left out, as the pictures show FLAIR in its colour" in other["warnings"]


def test_a_dry_run_names_the_patients_and_what_is_assumed(options, write_patient, tmp_path, capsys):
    write_patient(tmp_path / "in" / "P_1")
    write_patient(tmp_path / "in" / "P_2")
    (tmp_path / "in" / "P_2" / "P_2_3.tif").unlink()
    (tmp_path / "in" / "notes.txt").write_text("mine")
    assert dry_run(options(tmp_path / "in", *QUICK)) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "t1, t1ce, flair" in said
    assert "2 subjects" in said
    assert "P_2 would fail" in said
    assert "has no slice 3 of" in said


def test_voxels_lie_where_the_phantom_s_lie(write_patient, tmp_path):
    rows = write_patient(tmp_path / "P_1", masks=False)
    (subject,) = survey_lgg(tmp_path / "P_1").subjects
    assert subject.id == "P_1"
    for name, expected in rows.items():
        volume = read(subject.images[name])
        np.testing.assert_array_equal(volume.data[0], expected.transpose(1, 0, 2))
        assert [one.doubts_header for one in volume.remarks] == [False]  # a warning, and no review


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_pictures_of_such_names_stay_pictures(mode, tmp_path):
    for k in range(1, 5):
        grey = np.random.default_rng(k).integers(0, 255, (8, 9), dtype=np.uint8)
        (tmp_path / "P_1").mkdir(exist_ok=True)
        Image.fromarray(grey).convert(mode).save(tmp_path / "P_1" / f"P_1_{k}.tif")
    assert survey_lgg(tmp_path) is None


def test_a_scan_in_nifti_goes_first(write_patient, patients, tmp_path):
    write_patient(tmp_path / "P_1")
    (tmp_path / "a_t1.nii").write_bytes(b"x")
    assert survey_lgg(tmp_path) is None


def test_outlines_are_scored_against_the_masks_of_the_set(write_patient, tmp_path):
    write_patient(tmp_path / "in" / "P_1")
    write_patient(tmp_path / "in" / "P_2", masks=False)
    for k in (3, 4):
        path = tmp_path / "in" / "P_1" / f"P_1_{k}_mask.tif"
        pixels = np.asarray(Image.open(path)).copy()
        pixels[5:9, 3:12] = 255
        Image.fromarray(pixels).save(path)
    truth = read_tumor(tmp_path / "in" / "P_1")
    half = truth.data[0].copy()
    half[..., 3] = 0  # the second of the two slices is missed
    write(tmp_path / "out" / "P_1" / "P_1_tumor_labels.nii.gz", half * 2, truth.grid)
    found = evaluate_tumors(tmp_path / "in", tmp_path / "out", "brats-legacy", regions=["whole_tumor"])
    assert [(one.name, one.fault) for one in found.cases] == [("P_1", "")]
    assert found.cases[0].scores["dice/whole_tumor"] == pytest.approx(2 / 3)
    with pytest.raises(LabelError, match="set --regions whole_tumor"):
        evaluate_tumors(tmp_path / "in", tmp_path / "out", "brats-legacy")
