"""DICOM folders: what is found in them, how it is named, and where its voxels lie."""

import logging
import re
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import RLELossless

from brainseg.config.errors import DataError, GeometryError, ImageError
from brainseg.images.dicom import Series, read
from brainseg.images.dicom_header import read_header
from brainseg.images.dicom_naming import named
from brainseg.images.fates import Fate
from brainseg.images.layouts import find_subjects, load_subject, survey
from brainseg.images.nifti import read as read_nifti
from brainseg.images.nifti import write
from brainseg.images.volume import to_ras

UPRIGHT = np.array([[-2.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])  # as dcm2niix writes: LAS


def oblique():
    """A left-handed grid turned by 20 and 10 degrees, voxels of 2 x 3 x 4 mm."""
    a, b = np.radians([20, 10])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = UPRIGHT.copy()
    affine[:3, :3] = about_x @ about_z @ UPRIGHT[:3, :3]
    return affine


@pytest.fixture
def array():
    """(7, 9, 12), every voxel another whole number."""
    return np.random.default_rng(3).permutation(7 * 9 * 12).reshape(7, 9, 12).astype(np.int16)


def edit(path, **values):
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)


def found(folder, **kwargs):
    """{id: {sequence: description}}."""
    return {
        subject.id: {name: source.series.description for name, source in subject.images.items()}
        for subject in find_subjects(folder, **kwargs)
    }


# Where voxels lie


@pytest.mark.parametrize("affine", [UPRIGHT, oblique()], ids=["upright", "oblique"])
def test_shuffled_slices_give_the_array_and_the_affine_they_were_written_from(
    affine, array, write_dicom, tmp_path
):
    volume = read(Series(tuple(write_dicom(tmp_path, array, affine))))
    np.testing.assert_array_equal(volume.data, array[None])
    np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-5)


@pytest.mark.parametrize("turns", [[[0, -1], [1, 1], [2, 1]], [[2, 1], [0, -1], [1, -1]]])
def test_a_head_stored_in_any_direction_is_the_same_head_in_the_world(turns, array, write_dicom, tmp_path):
    image = nib.Nifti1Image(array, np.abs(UPRIGHT))
    turned = image.as_reoriented(turns)
    volume = read(Series(tuple(write_dicom(tmp_path, np.asarray(turned.dataobj), turned.affine))))
    upright = to_ras(volume)
    np.testing.assert_array_equal(upright.data[0], np.asarray(image.dataobj))
    np.testing.assert_allclose(upright.grid.affine, image.affine, atol=1e-4)
    assert np.linalg.det(volume.grid.affine) < 0  # rows upwards, slices along the normal


def test_a_marked_voxel_lies_where_its_header_says(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, oblique())
    dataset = pydicom.dcmread(files[5])
    pixels = dataset.pixel_array.copy()
    row, column = 2, 6
    pixels[row, column] = 9999
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(files[5])
    # PS3.3 C.7.6.2.1.1: position + column * row cosines * column spacing + row * column cosines * row spacing
    cosines = np.array(dataset.ImageOrientationPatient, float)
    between_rows, between_columns = map(float, dataset.PixelSpacing)
    left_posterior_superior = (
        np.array(dataset.ImagePositionPatient, float)
        + cosines[:3] * between_columns * column
        + cosines[3:] * between_rows * row
    )
    volume = read(Series(tuple(files)))
    index = np.unravel_index(volume.data[0].argmax(), volume.grid.shape)
    np.testing.assert_allclose(
        volume.grid.affine @ [*index, 1], [*(left_posterior_superior * [-1, -1, 1]), 1], atol=1e-4
    )


def test_every_corner_lies_where_simpleitk_puts_it(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, oblique())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in files])
    image = reader.Execute()
    volume = read(Series(tuple(files)))
    nx, ny, nz = volume.grid.shape
    for x in (0, nx - 1):
        for y in (0, ny - 1):
            for z in (0, nz - 1):
                theirs = np.array(image.TransformIndexToPhysicalPoint((x, ny - 1 - y, z))) * [-1, -1, 1]
                np.testing.assert_allclose((volume.grid.affine @ [x, y, z, 1])[:3], theirs, atol=1e-4)
                assert volume.data[0, x, y, z] == image[x, ny - 1 - y, z]


def test_what_is_written_on_the_grid_is_nifti_in_scanner_coordinates(array, write_dicom, tmp_path):
    volume = read(Series(tuple(write_dicom(tmp_path / "in", array, oblique()))))
    write(tmp_path / "out.nii.gz", array, volume.grid)
    image = nib.load(tmp_path / "out.nii.gz")
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.get_qform(), oblique(), atol=1e-4)
    assert read_nifti(tmp_path / "out.nii.gz").grid.difference(volume.grid) is None


def test_rescale_slopes_hold_for_each_slice(array, write_dicom, tmp_path):
    files = write_dicom(
        tmp_path, array, UPRIGHT, RescaleSlope=lambda z: "1" if z < 6 else "1.5", RescaleIntercept="-7"
    )
    volume = read(Series(tuple(files)))
    slope = np.where(np.arange(12) < 6, 1, 1.5)
    np.testing.assert_array_equal(volume.data[0], array * slope - 7)
    assert volume.grid.header.get_data_dtype() == np.float32


@pytest.mark.parametrize(("top", "dtype"), [(32767, np.int16), (40000, np.uint16)])
def test_the_type_of_what_is_written_holds_the_values(top, dtype, array, write_dicom, tmp_path):
    values = array.astype(np.uint16)
    values[0, 0, 0] = top
    volume = read(Series(tuple(write_dicom(tmp_path, values, UPRIGHT))))
    assert volume.data.max() == top
    assert volume.grid.header.get_data_dtype() == dtype


def test_compressed_pixels_are_read(array, write_dicom, tmp_path):
    array = array[:6, :8] % 200  # GDCM reads no run-length code that is longer than the pixels
    files = write_dicom(tmp_path, array, UPRIGHT, compress=RLELossless)
    np.testing.assert_array_equal(read(Series(tuple(files))).data[0], array)


# What is no volume


def refused(paths, kind, match):
    with pytest.raises(kind, match=match) as caught:
        read(Series(tuple(paths), "t1 tse", 4))
    assert "\n" not in str(caught.value)


def test_missing_slices_are_counted_and_placed(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, oblique())
    before, after = files[4].name, files[7].name
    refused(
        [path for path in files if path not in files[5:7]],
        GeometryError,
        rf"series 4 't1 tse': {before} and {after} lie 12 mm apart, other slices 4 mm: 2 missing there; ",
    )


def test_uneven_distances(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    position = pydicom.dcmread(files[6]).ImagePositionPatient
    edit(files[6], ImagePositionPatient=[position[0], position[1], float(position[2]) + 1.5])
    refused(files, GeometryError, r"lie 5.5 mm apart, other slices 4 mm: the distances are uneven")


def test_distances_rounded_in_the_header_are_no_fault(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    for path in files:
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, y, f"{float(z) + (0.04 if path == files[6] else 0):.2f}"])
    np.testing.assert_allclose(read(Series(tuple(files))).grid.affine, UPRIGHT, atol=1e-5)


def test_several_echoes_in_one_series(array, write_dicom, tmp_path):
    one = write_dicom(tmp_path / "a", array, UPRIGHT, EchoTime=12)
    other = write_dicom(tmp_path / "b", array, UPRIGHT, EchoTime=90)
    refused([*one, *other], GeometryError, r"12 of 24 slices at the place .*echoes of (12|90) and (12|90) ms")


def test_several_time_points_in_one_series(array, write_dicom, tmp_path):
    files = [*write_dicom(tmp_path / "a", array, UPRIGHT), *write_dicom(tmp_path / "b", array, UPRIGHT)]
    refused(files, GeometryError, "several echoes, time points or phases in one series; move all but one")


def test_the_same_image_twice(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    shutil.copy(files[3], tmp_path / "copy")
    refused(
        [*files, tmp_path / "copy"], GeometryError, r"1 of 13 slices .*the same image twice; move the copies"
    )


def test_a_tilted_gantry(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    for path in files:
        x, y, z = map(float, pydicom.dcmread(path).ImagePositionPatient)
        edit(path, ImagePositionPatient=[x, y + np.tan(np.radians(15)) * z, z])
    refused(
        files, GeometryError, r"is sheared: .* up to 11\.8 mm over 44 mm \(gantry tilt of 15\.0 degrees\)"
    )


def test_planes_of_other_directions_sizes_and_spacings(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    for name, values, match in [
        ("a", {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, r"ImageOrientationPatient is \("),
        ("b", {"PixelSpacing": [3, 2.5]}, r"PixelSpacing is 3 x 2\.?5? mm in IM\d+ and 3 x 2"),
        ("c", {"Rows": 8, "PixelData": bytes(8 * 7 * 2)}, "[98] rows x 7 columns in "),
    ]:
        spoilt = shutil.copytree(tmp_path, tmp_path.parent / name)
        edit(spoilt / files[5].name, **values)
        refused(
            sorted(spoilt.iterdir()),
            GeometryError,
            f"holds slices that do not make one volume: {match}.*move those",
        )


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"ImagePositionPatient": None}, "its header has no usable ImagePositionPatient, so nobody knows"),
        ({"PixelSpacing": ["1", "2", "3"]}, r"PixelSpacing is \(1, 2, 3\), where 2 numbers are needed"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "PixelSpacing 3 x 2 mm is no image plane"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "pixels are MONOCHROME1, where greyscale"),
        ({"NumberOfFrames": 5}, "holds 5 frames and does not say where each lies; export it"),
    ],
)
def test_headers_that_place_nothing(values, match, array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT, **values)
    refused(files, ImageError, match)


def test_a_file_cut_off_in_a_copy_is_named(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    files[7].write_bytes(files[7].read_bytes()[:-20])
    refused(files, ImageError, rf"{files[7].name}: .*, but its pixels are 106 bytes, probably cut off")
    files[7].unlink()
    refused(files, ImageError, rf"{files[7].name}: no such file")


def test_an_empty_scan(array, write_dicom, tmp_path):
    refused(write_dicom(tmp_path, array * 0, UPRIGHT), ImageError, "series 4 't1 tse': all voxels are 0")
    refused(write_dicom(tmp_path, array[..., :1], UPRIGHT), ImageError, "has only 1 slice")


# Names

SE, IR_GR = ["SE"], ["GR", "IR"]


@pytest.mark.parametrize(
    ("description", "sequence"),
    [
        ("t1_se_tra", "t1"),
        ("AX T1", "t1"),
        ("sT1W_3D_TFE", "t1"),
        ("T1 without contrast", "t1"),
        ("AX T1 W/O", "t1"),
        ("t1_mprage_sag_p2_iso nativ", "t1"),
        ("T1 ohne KM", "t1"),
        ("T1 non-contrast", "t1"),
        ("AX T1 -C", "t1"),
        ("T1 post op", "t1"),
        ("T1 AX PRE", "t1"),
        ("t1_mprage_sag_p2_iso", "t1"),
        ("Sag MP-RAGE", "t1"),
        ("AX 3D BRAVO", "t1"),
        ("AX T1 POST", "t1ce"),
        ("AX T1 +C", "t1ce"),
        ("T1 C+ cor", "t1ce"),
        ("t1ce", "t1ce"),
        ("T1_C", "t1ce"),
        ("T1W_post_gd", "t1ce"),
        ("MPRAGE Gd", "t1ce"),
        ("t1_mprage_tra KM", "t1ce"),
        ("T1 W/ CONTRAST", "t1ce"),
        ("T1 post op gd", "t1ce"),
        ("t2_tse_tra_512", "t2"),
        ("Ax T2 FRFSE", "t2"),
        ("T2W_TSE_DRIVE", "t2"),
        ("T2 post contrast", "t2"),
        ("AX T2 FLAIR", "flair"),
        ("t2_tirm_tra_dark-fluid", "flair"),
        ("3D_FLAIR_CUBE +C", "flair"),
        ("t2_spc_da-fl FLAIR", "flair"),
        ("T1 with and without contrast", None),
        ("T1 FLAIR", None),  # of which no inversion time is told
        ("routine brain", None),
    ],
)
def test_words_name_a_series(description, sequence):
    assert named({"SeriesDescription": description}).sequence == sequence


@pytest.mark.parametrize(
    ("description", "what"),
    [
        ("3-plane localizer", "localiser"),
        ("ep2d_diff_3scan_trace_ADC", "echo-planar|diffusion"),
        ("DWI b1000", "diffusion"),
        ("ColFA", "diffusion"),
        ("t2_fl2d_tra_hemo", r"T2\*"),
        ("T2* GRE", r"T2\*"),
        ("AX T2 GRE", r"T2\*"),
        ("SWI_Images", r"T2\*"),
        ("TOF 3D MIP", "angiography"),
        ("T1 subtraction", "difference"),
        ("T1 map", "a map"),
        ("t1_mp2rage_INV1", "MP2RAGE"),
        ("T2 sag C-spine", "spine"),
        ("PD TSE", "proton"),
        ("ASL perfusion", "perfusion"),
    ],
)
def test_words_of_what_is_none_of_the_four(description, what):
    said = named({"SeriesDescription": description, "EchoTime": 20.0})
    assert said.sequence is None
    assert said.is_other
    assert re.search(what, said.remark)


@pytest.mark.parametrize(
    ("header", "sequence"),
    [
        ({"EchoTime": 12.0, "RepetitionTime": 550.0, "ScanningSequence": SE}, "t1"),
        (
            {"EchoTime": 3.0, "RepetitionTime": 2300.0, "InversionTime": 900.0, "ScanningSequence": IR_GR},
            "t1",
        ),
        ({"EchoTime": 3.0, "RepetitionTime": 8.0, "ScanningSequence": "GR"}, "t1"),
        ({"EchoTime": 20.0, "RepetitionTime": 600.0, "ScanningSequence": "GR"}, None),
        ({"EchoTime": 100.0, "RepetitionTime": 4000.0, "ScanningSequence": SE}, "t2"),
        ({"EchoTime": 100.0, "RepetitionTime": 4000.0, "ScanningSequence": ["EP", "SE"]}, None),
        ({"EchoTime": 20.0, "RepetitionTime": 3000.0, "ScanningSequence": SE}, None),
        ({"EchoTime": 90.0, "RepetitionTime": 9000.0, "InversionTime": 2500.0}, "flair"),
        ({"EchoTime": 40.0, "RepetitionTime": 5000.0, "InversionTime": 180.0}, None),
        ({"EchoTime": 12.0, "RepetitionTime": 550.0, "ContrastBolusAgent": "Gadovist"}, "t1ce"),
        ({"EchoTime": 12.0, "RepetitionTime": 550.0, "ContrastBolusAgent": "NONE"}, "t1"),
        ({}, None),
    ],
)
def test_times_name_a_series_without_words_and_say_so(header, sequence):
    said = named(header)
    assert said.sequence == sequence
    assert ("by its times alone" if sequence else "does not say which sequence it is (TR") in said.remark


@pytest.mark.parametrize(
    ("header", "sequence"),
    [
        ({"SeriesDescription": "t1_mprage", "ContrastBolusAgent": "Dotarem 10 ml"}, "t1ce"),
        ({"SeriesDescription": "T1 pre", "ContrastBolusAgent": "Dotarem 10 ml"}, "t1"),
        ({"SeriesDescription": "T2", "ContrastBolusAgent": "Dotarem 10 ml"}, "t2"),
        ({"SeriesDescription": "ax", "ProtocolName": "t1_tse"}, "t1"),
        ({"SeriesDescription": "T2 AX", "ProtocolName": "BRAIN T1 W/WO"}, "t2"),
        ({"SeriesDescription": "ax post gd", "ProtocolName": "t1_tse"}, "t1ce"),
        ({"SeriesDescription": "Sag T1 FLAIR", "InversionTime": 800.0}, "t1"),
        ({"SeriesDescription": "t1 flair", "InversionTime": 2400.0}, "flair"),
        ({"SeriesDescription": "PD+T2", "EchoTime": 90.0}, "t2"),
        ({"SeriesDescription": "PD+T2", "EchoTime": 15.0}, None),
        ({"SeriesDescription": "t1", "ImageType": ["DERIVED", "SECONDARY", "MPR"]}, None),
        ({"SeriesDescription": "t1", "ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, None),
        ({"SeriesDescription": "t1", "ImageType": ["DERIVED", "SECONDARY"]}, "t1"),
        ({"SeriesDescription": "t1", "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]}, "t1"),
        ({"SeriesDescription": "t2", "DiffusionBValue": 1000.0}, None),
        ({"SeriesDescription": "t1 3d", "AngioFlag": "Y"}, None),
    ],
)
def test_headers_name_a_series(header, sequence):
    assert named(header).sequence == sequence


# Folders


def test_mixed_series_of_two_patients_in_one_folder_with_junk_beside(array, write_dicom, tmp_path, caplog):
    caplog.set_level(logging.INFO, "brainseg")
    kinds = ["t1_mprage +C", "t1 pre", "AX T2", "t2 flair"]
    for number, description in enumerate(kinds):
        extra = {"SeriesDescription": description, "SeriesNumber": number + 2}
        write_dicom(tmp_path, array + number, oblique(), suffix=f"-{number}.dcm", **extra)
    write_dicom(tmp_path / "deep" / "er", array, UPRIGHT, PatientID="P/2", SeriesDescription="t2_tse")
    adc = {"SeriesDescription": "ADC", "SeriesNumber": 9}
    write_dicom(tmp_path, array, UPRIGHT, suffix="-adc", **adc)
    write_dicom(tmp_path, array[..., :3], UPRIGHT, suffix="-few", SeriesNumber=11)
    (tmp_path / "README.txt").write_text("no scan")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "DICOMDIR").write_bytes(dicomdir())
    first, second = find_subjects(tmp_path)
    assert (first.id, first.layout) == ("P1", "dicom")
    assert second.id.startswith("P-2-")
    assert {name: source.series.number for name, source in first.images.items()} == {
        "t1": 3,
        "t1ce": 2,
        "t2": 4,
        "flair": 5,
    }
    assert list(first.images) == ["t1", "t1ce", "t2", "flair"]
    assert [warning.split(" cannot be read")[0] for warning in first.warnings] == [
        "empty.dcm among its slices"
    ]
    assert second.warnings == ()
    volume = load_subject(first, ["flair", "t1"])
    np.testing.assert_array_equal(volume.data, [array + 3, array + 1])
    assert "P1: left out: series 9 'ADC' is diffusion" in caplog.text
    assert "P1: left out: series 11 't1' has only 3 slices; a head has at least 10" in caplog.text


def dicomdir():
    from io import BytesIO

    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset = pydicom.Dataset()
    dataset.FileSetID = "X"
    dataset.file_meta = meta
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def test_visits_of_a_patient_are_told_apart_by_their_dates(array, write_dicom, tmp_path):
    for visit, date in enumerate(["20230101", "20240202"]):
        write_dicom(tmp_path / str(visit), array, UPRIGHT, StudyInstanceUID=f"1.2.{visit}", StudyDate=date)
    assert list(found(tmp_path)) == ["P1_20230101", "P1_20240202"]
    assert [one.patient for one in find_subjects(tmp_path)] == ["P1", "P1"]
    assert list(found(tmp_path / "1")) == ["P1"]
    write_dicom(tmp_path / "c", array, UPRIGHT, StudyInstanceUID="1.2.7", StudyDate="20240202")
    ids = list(found(tmp_path))
    assert ids[0] == "P1_20230101"
    assert len(set(ids)) == 3
    assert all(name.startswith("P1_20240202-") for name in ids[1:])


@pytest.mark.parametrize(
    "patients",
    [
        ["a/b", "a b", "a-b"],
        ["../../etc", "..", "$(rm)"],
        ["case", "CASE"],
        ["", None],
        ["X_20240202", "X", "X"],
        ["ü", "ö"],
    ],
)
def test_no_two_patients_share_an_id_and_every_id_is_a_plain_name(patients, array, write_dicom, tmp_path):
    for k, patient in enumerate(patients):
        headers = {"PatientID": patient, "StudyInstanceUID": f"1.2.{k}", "StudyDate": f"2024020{k}"}
        write_dicom(tmp_path / str(k), array, UPRIGHT, **headers)
    ids = list(found(tmp_path))
    assert len({name.casefold() for name in ids}) == len(patients)
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for name in ids
    )
    assert not any(name.startswith((".", "-")) for name in ids)


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        (
            {"Modality": "CT"},
            r"none of 1 DICOM series and files can be used: series 1 't1' is CT, not MR; give MR series",
        ),
        ({"NumberOfFrames": 5}, "has many pictures in one file that does not say where each lies"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "is a screen capture"),
        ({"SeriesDescription": "ADC"}, "series 1 'ADC' is diffusion"),
        (
            {"SeriesDescription": "x\ny"},
            r"series 1 'x y' does not say which sequence .*set sequence= where one does not",
        ),
        ({"ImagePositionPatient": None}, "does not say where its slices lie"),
    ],
)
def test_a_folder_of_nothing_that_can_be_used_says_why(headers, match, array, write_dicom, tmp_path):
    write_dicom(tmp_path, array, UPRIGHT, **headers)
    with pytest.raises((DataError, ImageError), match=match):  # ImageError: of a subject that fails
        find_subjects(tmp_path)


def test_a_patient_of_nothing_that_can_be_used_is_named_and_the_others_found(
    array, write_dicom, tmp_path, caplog
):
    write_dicom(tmp_path / "a", array, UPRIGHT, PatientID="A", Modality="CT")
    write_dicom(tmp_path / "b", array, UPRIGHT, PatientID="B")
    assert list(found(tmp_path)) == ["B"]
    assert "A has no series that can be used: series 1 't1' is CT, not MR" in caplog.text


def test_two_series_of_one_sequence_are_both_named(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, SeriesNumber=3, SeriesDescription="t1 tra")
    write_dicom(tmp_path / "b", array, UPRIGHT, SeriesNumber=7, SeriesDescription="t1 tra rpt")
    with pytest.raises(
        ImageError,
        match=r"series 3 't1 tra' and series 7 't1 tra rpt' of one study claim to be the t1; "
        r"take one with choose.series=\[3\] or \[7\]",
    ):
        find_subjects(tmp_path)
    assert found(tmp_path / "b", sequence="t1ce") == {"P1": {"t1ce": "t1 tra rpt"}}


THICK = UPRIGHT @ np.diag([1, 1, 2, 1])
THICK[2, 3] += 1  # between the slices of the thin ones


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({}, {"ImageType": ["DERIVED", "SECONDARY"]}, "as it is derived"),
        ({}, {"part": True}, "as it has only 10 of the same 12 slices"),
        ({"long": True}, {"thick": True}, "as its slices are 8 mm apart and not 4 mm"),
        ({}, {"hole": True}, "as its slices do not make one volume"),
    ],
)
def test_the_plainly_better_of_two_is_taken_and_the_other_named(
    one, other, why, array, write_dicom, tmp_path
):
    for number, kind in enumerate((other, one)):
        kind = dict(kind)
        affine = THICK if kind.pop("thick", False) else UPRIGHT
        data = np.concatenate([array, array], axis=2) if kind.pop("long", False) else array
        data = data[..., 2:] if kind.pop("part", False) else data
        hole = kind.pop("hole", False)
        files = write_dicom(
            tmp_path / str(number), data, affine, SeriesNumber=number, SeriesDescription="T2", **kind
        )
        if hole:
            files[5].unlink()
    (subject,) = find_subjects(tmp_path)
    assert subject.images["t2"].series.number == 1
    assert subject.warnings == (f"t2 is series 1 'T2'; series 0 'T2' was left aside, {why}",)


def test_a_thin_slab_does_not_stand_in_for_a_whole_head(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT @ np.diag([1, 1, 0.25, 1]), SeriesDescription="T2 IAC")
    write_dicom(tmp_path / "b", array, UPRIGHT, SeriesDescription="T2")
    with pytest.raises(ImageError, match="claim to be the t2"):
        find_subjects(tmp_path)


def test_a_technique_that_says_nothing_of_contrast_agent_is_a_t1_with_a_warning(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, SeriesDescription="MPRAGE", SeriesNumber=2)
    (subject,) = find_subjects(tmp_path)
    assert list(subject.images) == ["t1"]
    (warning,) = subject.warnings
    assert "series 2 'MPRAGE' was taken as t1; no header names a contrast agent, so see that" in warning
    agent = {"SeriesDescription": "MPRAGE", "SeriesNumber": 3, "ContrastBolusAgent": "Gadovist"}
    write_dicom(tmp_path / "b", array, UPRIGHT, **agent)
    (subject,) = find_subjects(tmp_path)
    assert {name: source.series.number for name, source in subject.images.items()} == {"t1": 2, "t1ce": 3}
    assert subject.warnings == ()


def test_the_caller_names_what_headers_do_not(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, SeriesDescription="T2")
    write_dicom(tmp_path / "b", array, UPRIGHT, SeriesDescription="brain", SeriesNumber=5)
    write_dicom(tmp_path / "c", array, UPRIGHT, SeriesDescription="ADC")
    assert found(tmp_path) == {"P1": {"t2": "T2"}}
    assert found(tmp_path, sequence="t1") == {"P1": {"t1": "brain", "t2": "T2"}}
    assert found(tmp_path / "b", sequence="flair") == {"P1": {"flair": "brain"}}
    write_dicom(tmp_path / "d", array, UPRIGHT, SeriesDescription="head", SeriesNumber=6)
    with pytest.raises(ImageError, match=r"sequence=t1 may mean series 5 'brain' or series 6 'head'; give"):
        find_subjects(tmp_path, sequence="t1")


def test_nifti_goes_first_and_the_dicom_beside_it_is_named(array, write_dicom, save, scan, tmp_path, caplog):
    caplog.set_level(logging.INFO, "brainseg")
    save("a_t1.nii.gz", scan)
    write_dicom(tmp_path / "dicom", array, UPRIGHT)
    (subject,) = find_subjects(tmp_path)
    assert subject.images["t1"].path.name == "a_t1.nii.gz"
    assert f"a: its DICOM files in {tmp_path / 'dicom'} are left out, as its NIfTI scans are" in caplog.text
    assert list(found(tmp_path / "dicom")) == ["P1"]


def test_one_slice_alone_is_refused_and_one_with_a_damaged_header_is_left_out(
    array, write_dicom, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "brainseg")
    files = write_dicom(tmp_path, array, UPRIGHT)
    with pytest.raises(ImageError, match=rf"{files[0].name}: is one DICOM file; give the folder that holds"):
        find_subjects(files[0])
    files[0].write_bytes(files[0].read_bytes()[:400])
    (unreadable,) = (one for one in survey(tmp_path).fates if one.fate is Fate.unreadable)
    assert unreadable.paths == (files[0],)
    assert re.match(r"its DICOM header has no \w+; fetch it again", unreadable.why)
    assert list(found(tmp_path)) == ["P1"]
    assert f"{files[0].name}: left out: its DICOM header has no" in caplog.text


def test_text_where_a_number_belongs_counts_as_absent_and_is_printed_nowhere(
    array, write_dicom, tmp_path, recwarn
):
    (path, *_) = write_dicom(tmp_path, array, UPRIGHT, EchoTime="1234.5", RepetitionTime="500")
    path.write_bytes(path.read_bytes().replace(b"1234.5", b"Secret"))
    assert read_header(path, ["EchoTime", "RepetitionTime", "Rows"]) == {"RepetitionTime": 500, "Rows": 9}
    assert not recwarn.list
