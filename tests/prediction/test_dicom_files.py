"""dicom=true: masks and montage go back to the archive on the very planes that they came from."""

import json
import logging

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.uid import SecondaryCaptureImageStorage, SegmentationStorage, generate_uid

from brainseg.images.labels import TUMOR_REGIONS
from brainseg.images.nifti import read, read_labels
from brainseg.images.volume import Grid, Volume, resample_to, to_ras
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.verify import changes

QUICK = ("classifier=null", "dicom=true", "page=false")
SEQUENCES = {"T1w": "t1 pre", "ce-gadolinium_T1w": "t1 post gd", "T2w": "t2", "FLAIR": "flair"}
TILT = nib.eulerangles.euler2mat(0.1, -0.15, 0.2)
PLANES = {
    "axial": ([[0, -1], [1, 1], [2, 1]], np.eye(3)),
    "sagittal": ([[2, 1], [0, -1], [1, 1]], np.eye(3)),
    "oblique": ([[0, -1], [1, 1], [2, 1]], TILT),
}


@pytest.fixture
def hospital(patients, write_dicom, tmp_path):
    """One patient's four sequences, stored in planes of the given kind."""

    def _hospital(kind="axial", **headers):
        turns, rotation = PLANES[kind]
        frame = generate_uid()
        for number, (name, description) in enumerate(SEQUENCES.items(), start=3):
            (path,) = (patients / "sub-001" / "anat").glob(f"sub-001_{name}.nii.gz")
            volume = to_ras(read(path))
            image = nib.Nifti1Image(volume.data[0].astype(np.int16), volume.grid.affine).as_reoriented(turns)
            affine = nib.affines.from_matvec(rotation) @ image.affine
            if np.linalg.det(affine) > 0:  # rows upwards and slices along the normal are left-handed
                image = image.slicer[:, :, ::-1]
                affine = nib.affines.from_matvec(rotation) @ image.affine
            given = {"SeriesDescription": description, "SeriesNumber": number, "PatientID": "0815"}
            given = {**given, "FrameOfReferenceUID": frame, "StudyInstanceUID": "1.2.3", **headers}
            array = np.asarray(image.dataobj)
            write_dicom(tmp_path / "in" / str(number), array, affine, suffix=f"-{number}", **given)
        return tmp_path / "in"

    return _hospital


def expected(out):
    """The masks of the NIfTI files, by segment."""
    brain = read_labels(out / "0815_brain_mask.nii.gz")
    labels = read_labels(out / "0815_tumor_labels.nii.gz")
    values = json.loads((out / "result.json").read_text())["label_convention"]["values"]
    names = ["background", "necrotic_core", "edema", "enhancing_tumor"]
    classes = {int(value): names.index(name) for value, name in values.items()}
    masks = {"brain": brain.data[0] > 0}
    for region, members in TUMOR_REGIONS.items():
        inside = [value for value, index in classes.items() if index in members]
        masks[region] = np.isin(labels.data[0], inside)
    return masks, brain.grid


def of_highdicom(path):
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    array = volume.array.transpose(2, 1, 0)
    order = volume.affine[:, [2, 1, 0, 3]]
    return Volume(array[None], Grid(array.shape, np.diag([-1, -1, 1, 1]) @ order))


def of_itk(path):
    image = sitk.ReadImage(path)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    return Volume((array[None] > 0).astype(np.uint8), Grid(array.shape, np.diag([-1, -1, 1, 1]) @ affine))


@pytest.mark.parametrize("kind", PLANES)
def test_every_segment_is_read_back_on_the_grid_of_the_scan_voxel_for_voxel(
    kind, options, hospital, tmp_path
):
    folder = hospital(kind)
    run(options(folder, *QUICK))
    out = tmp_path / "out" / "0815"
    masks, grid = expected(out)
    assert masks["brain"].any()
    named = json.loads((out / "result.json").read_text())["dicom"]
    assert named == {
        **{segment: f"0815_{segment}_seg.dcm" for segment in masks},
        "montage": "0815_montage.dcm",
    }
    reference = json.loads((out / "result.json").read_text())["grid"]["reference"]
    number = {"t1": 3, "t1ce": 4, "t2": 5, "flair": 6}[reference]
    source = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / str(number))))
    for segment, mask in masks.items():
        for back in (of_highdicom(out / named[segment]), of_itk(out / named[segment])):
            assert sorted(back.grid.shape) == sorted(grid.shape)
            on_scan = resample_to(back, grid, nearest=True)
            np.testing.assert_allclose(
                to_ras(back).grid.affine, to_ras(Volume(mask[None], grid)).grid.affine, atol=1e-3
            )
            np.testing.assert_array_equal(on_scan.data[0] > 0, mask)
        image = sitk.ReadImage(out / named[segment])
        assert image.GetSize() == source.GetSize()
        for get in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(image, get)(), getattr(source, get)(), atol=1e-4)


def test_an_enhanced_scan_gets_segments_that_name_its_frames(options, hospital, enhanced, tmp_path):
    folder = hospital("sagittal")
    slices = sorted((folder / "3").iterdir())
    path = enhanced(tmp_path / "new" / "t1.dcm", slices)
    run(options(path.parent, *QUICK, "segmenter=null"))
    out = tmp_path / "out" / "0815"
    mask = read_labels(out / "0815_brain_mask.nii.gz")
    back = of_itk(out / "0815_brain_seg.dcm")
    assert mask.data.any()
    on_scan = resample_to(back, mask.grid, nearest=True)
    np.testing.assert_array_equal(on_scan.data[0] > 0, mask.data[0] > 0)
    source = pydicom.dcmread(path, stop_before_pixels=True)
    for name in ("brain_seg", "montage"):
        (item,) = pydicom.dcmread(out / f"0815_{name}.dcm").SourceImageSequence
        assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert list(item.ReferencedFrameNumber) == list(range(1, len(slices) + 1))


def test_a_segment_says_what_it_is_and_which_slices_it_was_made_from(options, hospital, tmp_path):
    folder = hospital()
    run(options(folder, *QUICK))
    out = tmp_path / "out" / "0815"
    objects = [pydicom.dcmread(path) for path in sorted(out.glob("*_seg.dcm"))]
    assert len(objects) == 4
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.rglob("IM*")]
    for one in objects:
        assert one.SOPClassUID == SegmentationStorage
        assert (one.PatientID, one.PatientName, one.StudyInstanceUID) == ("0815", "Secret^Name", "1.2.3")
        assert one.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
        (segment,) = one.SegmentSequence
        code = segment.SegmentedPropertyTypeCodeSequence[0]
        assert (code.CodingSchemeDesignator, code.CodeValue) == {
            "brain": ("SCT", "12738006"),
            "whole_tumor": ("SCT", "108369006"),
            "tumor_core": ("SCT", "4147007"),
            "enhancing_tumor": ("NCIt", "C113842"),
        }[segment.SegmentLabel]
        (referenced,) = one.ReferencedSeriesSequence
        own = {s.SOPInstanceUID: s for s in slices if s.SeriesInstanceUID == referenced.SeriesInstanceUID}
        assert len(one.PerFrameFunctionalGroupsSequence) == len(own)
        for frame in one.PerFrameFunctionalGroupsSequence:
            used = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            place = frame.PlanePositionSequence[0].ImagePositionPatient
            np.testing.assert_allclose(
                np.array(place, float), np.array(own[used].ImagePositionPatient, float), atol=1e-3
            )
    assert len({one.SeriesInstanceUID for one in objects}) == 1
    assert len({one.SOPInstanceUID for one in objects}) == 4


def test_the_montage_is_a_secondary_capture_of_the_same_study(options, hospital, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(options(hospital(), *QUICK, "segmenter=null"))
    out = tmp_path / "out" / "0815"
    capture = pydicom.dcmread(out / "0815_montage.dcm")
    assert capture.SOPClassUID == SecondaryCaptureImageStorage
    assert (capture.StudyInstanceUID, capture.BurnedInAnnotation) == ("1.2.3", "YES")
    with Image.open(out / "0815_montage.png") as image:
        np.testing.assert_array_equal(capture.pixel_array, np.asarray(image.convert("RGB")))
    assert "highdicom" not in {record.name.split(".")[0] for record in caplog.records}


def test_dicom_files_are_summed_verified_and_do_not_spoil_a_reproduction(options, hospital, tmp_path):
    run(options(hospital(), *QUICK))
    out = tmp_path / "out" / "0815"
    sums = (out / "SHA256SUMS").read_text()
    assert all(path.name in sums for path in out.glob("*.dcm"))
    assert changes(out) == []
    assert reproduce(out) == []


def test_headers_that_lack_what_may_be_empty_are_enough(options, hospital, tmp_path):
    absent = dict.fromkeys(("PatientName", "PatientBirthDate", "StudyDate", "FrameOfReferenceUID"))
    run(options(hospital(**absent), *QUICK, "segmenter=null"))
    out = tmp_path / "out" / "0815"
    assert json.loads((out / "result.json").read_text())["dicom"]["brain"] == "0815_brain_seg.dcm"
    assert pydicom.dcmread(out / "0815_brain_seg.dcm").FrameOfReferenceUID


def test_a_fault_of_dicom_costs_the_dicom_files_alone(options, hospital, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ValueError("odd\nheader")

    monkeypatch.setattr("brainseg.prediction.dicom_files.write_capture", broken)
    assert run(options(hospital(), *QUICK, "segmenter=null")) == 0
    out = tmp_path / "out" / "0815"
    result = json.loads((out / "result.json").read_text())
    assert "dicom" not in result
    assert not list(out.glob("*.dcm"))
    (said,) = [one for one in result["warnings"] if "DICOM" in one]
    assert said.endswith("do not allow it (odd header); use the NIfTI files")


def test_a_scan_that_came_as_nifti_gets_one_clear_line(options, patients, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    assert run(options(patients / "sub-001", *QUICK, "segmenter=null")) == 0
    result = json.loads((tmp_path / "out" / "sub-001" / "result.json").read_text())
    (said,) = [one for one in result["warnings"] if "DICOM" in one]
    assert said.startswith("no DICOM was written, as t1 did not come as DICOM; give input= the DICOM files")
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_results_within_the_input_are_not_taken_for_scans(options, hospital, tmp_path):
    folder = hospital()
    given = (folder, *QUICK, "segmenter=null")
    assert run(options(*given, output=folder / "results")) == 0
    assert list((folder / "results" / "0815").glob("*.dcm"))
    assert run(options(*given, output=tmp_path / "again")) == 0
    before, after = (
        json.loads((one / "0815" / "result.json").read_text())
        for one in (folder / "results", tmp_path / "again")
    )
    assert before["inputs"] == after["inputs"]
    assert before["warnings"] == after["warnings"]
