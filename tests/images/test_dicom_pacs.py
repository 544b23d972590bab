"""DICOM as a PACS sends it: copies, packed files, several pictures of a place, enhanced, and others'."""

import gzip
import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from brainseg.config.choices import Align
from brainseg.config.errors import DataError, GeometryError, ImageError
from brainseg.images.dicom import Series, read
from brainseg.images.dicom_file import is_dicom
from brainseg.images.dicom_series import find_studies
from brainseg.images.layouts import find_subjects
from brainseg.images.preference import Choice, deciding
from brainseg.prediction.scans import read_scans

UPRIGHT = np.array([[-2.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])
DEFAULT = Choice(["NORM", "DIS3D", "DIS2D", "-ND"])


@pytest.fixture
def array():
    """(7, 9, 12), every voxel another whole number."""
    return np.random.default_rng(3).permutation(7 * 9 * 12).reshape(7, 9, 12).astype(np.int16)


def studies(folder, choice=None):
    files = sorted(path for path in folder.rglob("*") if is_dicom(path))
    return find_studies(files, choice=choice)


def only(folder, choice=None):
    found = studies(folder, choice)
    assert not found.faults
    (study,) = found.studies
    return study


def edit(path, **values):
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path)


# One file


def test_files_without_a_preamble_are_read(array, write_dicom, tmp_path):
    for path in write_dicom(tmp_path, array, UPRIGHT):
        path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(read(only(tmp_path).series["t1"]).data[0], array)


@pytest.mark.parametrize("implicit", [False, True])
def test_files_without_anything_before_the_first_element_are_read(implicit, array, write_dicom, tmp_path):
    for path in write_dicom(tmp_path, array, UPRIGHT):
        dataset = pydicom.dcmread(path)
        with open(path, "wb") as file:
            _write_bare(file, dataset, implicit)
    np.testing.assert_array_equal(read(only(tmp_path).series["t1"]).data[0], array)


def _write_bare(file, dataset, implicit):
    stream = pydicom.filebase.DicomFileLike(file)
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    pydicom.filewriter.write_dataset(stream, dataset)


def test_gzipped_files_are_read(array, write_dicom, tmp_path):
    for path in write_dicom(tmp_path, array, UPRIGHT):
        path.with_name(f"{path.name}.dcm.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(read(only(tmp_path).series["t1"]).data[0], array)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x08\x00", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", b"\x08\x00" * 200, b"\x1f\x8b\x08broken"],
)
def test_what_only_begins_like_dicom_is_none(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    assert not is_dicom(tmp_path / "x")


def test_equal_copies_are_dropped_and_named(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT)
    for path in files:
        shutil.copy(path, path.with_name(f"{path.name}(1)"))
    edit(files[0].with_name(f"{files[0].name}(1)"), InstitutionName="other")  # the pixels count
    found = studies(tmp_path)
    assert len(found.left_out) == len(files)
    assert {one.kind for one in found.left_out} == {"copy"}
    first = next(one for one in found.left_out if one.files[0].name == f"{files[0].name}(1)")
    assert first.reason == f"is a copy of {files[0]}"
    np.testing.assert_array_equal(read(found.studies[0].series["t1"]).data[0], array)


def test_one_instance_with_other_pixels_is_no_copy(array, write_dicom, tmp_path):
    files = write_dicom(tmp_path, array, UPRIGHT, SOPInstanceUID="1.2.3")
    assert len(only(tmp_path).series["t1"].files) == len(files)
    assert not studies(tmp_path).left_out


def test_a_file_without_a_series_costs_that_file(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "good", array, UPRIGHT)
    stray = write_dicom(tmp_path / "stray", array, UPRIGHT, SeriesInstanceUID=None)
    found = studies(tmp_path)
    assert [study.id for study in found.studies] == ["P1"]
    assert {one.files[0] for one in found.left_out} == set(stray)
    assert "no SeriesInstanceUID" in found.left_out[0].reason


def test_a_damaged_file_costs_that_file_with_a_warning(array, write_dicom, tmp_path, caplog):
    files = write_dicom(tmp_path, array, UPRIGHT)
    files[0].write_bytes(files[0].read_bytes()[:140] + b"\xff" * 60)
    found = studies(tmp_path)
    assert len(found.studies[0].series["t1"].files) == len(files) - 1
    assert [(one.files[0], one.study) for one in found.left_out] == [(files[0], "")]
    assert files[0].name in found.left_out[0].reason or found.left_out[0].reason


def test_a_series_uid_for_each_slice(array, write_dicom, tmp_path):
    uids = {"SeriesInstanceUID": lambda z: f"1.2.{z + 1}", "FrameOfReferenceUID": "1.9"}
    write_dicom(tmp_path / "a", array, UPRIGHT, **uids)
    other = {"SeriesInstanceUID": lambda z: f"1.3.{z + 1}", "FrameOfReferenceUID": "1.9"}
    write_dicom(tmp_path / "b", array + 1, UPRIGHT, SeriesNumber=2, SeriesDescription="t2", **other)
    study = only(tmp_path)
    np.testing.assert_array_equal(read(study.series["t1"]).data[0], array)
    np.testing.assert_array_equal(read(study.series["t2"]).data[0], array + 1)
    assert "series 1 't1' was put together from slices that each say" in study.warnings[0]


# Several pictures of one place


def test_echoes_in_one_series_become_series_of_their_own(array, write_dicom, tmp_path):
    same = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "PD+T2 TSE"}
    write_dicom(tmp_path / "a", array, UPRIGHT, EchoTime=15, **same)
    write_dicom(tmp_path / "b", array + 1, UPRIGHT, EchoTime=90, **same)
    found = studies(tmp_path)
    (study,) = found.studies
    assert study.series["t2"].description == "PD+T2 TSE TE 90 ms"
    np.testing.assert_array_equal(read(study.series["t2"]).data[0], array + 1)
    (left,) = found.left_out
    assert left.reason == "series 1 'PD+T2 TSE TE 15 ms' is a proton-density image"


def test_echoes_that_both_may_be_the_one_are_offered(array, write_dicom, tmp_path):
    same = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "T2 TSE"}
    write_dicom(tmp_path / "a", array, UPRIGHT, EchoTime=80, **same)
    write_dicom(tmp_path / "b", array + 1, UPRIGHT, EchoTime=120, **same)
    (fault,) = studies(tmp_path).faults
    assert "'T2 TSE TE 80 ms' and series 1 'T2 TSE TE 120 ms'" in fault.message
    assert "take one with choose.words=[TE80] or [TE120]" in fault.message
    study = only(tmp_path, Choice(["TE120"]))
    np.testing.assert_array_equal(read(study.series["t2"]).data[0], array + 1)
    assert "left aside, as the other goes first by choose.words: it has TE120" in study.warnings[0]


def test_time_points_in_one_series_are_offered(array, write_dicom, tmp_path):
    for k in (1, 2):
        same = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "T1 dyn", "TemporalPositionIdentifier": k}
        write_dicom(tmp_path / str(k), array + k, UPRIGHT, **same)
    (fault,) = studies(tmp_path).faults
    assert "'T1 dyn time 1' and series 1 'T1 dyn time 2'" in fault.message


def test_a_series_with_weighted_pictures_is_diffusion_as_a_whole(array, write_dicom, tmp_path):
    same = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "t2 like"}
    write_dicom(tmp_path / "a", array, UPRIGHT, DiffusionBValue=0.0, **same)
    write_dicom(tmp_path / "b", array, UPRIGHT, DiffusionBValue=1000.0, **same)
    write_dicom(tmp_path / "c", array, UPRIGHT)
    found = studies(tmp_path)
    assert list(found.studies[0].series) == ["t1"]
    assert [one.reason for one in found.left_out] == ["series 1 't2 like' is diffusion (b = 1000)"]


@pytest.mark.parametrize("separate", [True, False])
def test_with_and_without_normalisation(separate, array, write_dicom, tmp_path):
    for k, kinds in enumerate((["M", "ND"], ["M", "ND", "NORM"])):
        number = (
            {"SeriesNumber": 4 + k, "SeriesInstanceUID": f"1.{k + 1}"}
            if separate
            else {"SeriesInstanceUID": "1.2"}
        )
        write_dicom(
            tmp_path / str(k), array + k, UPRIGHT, ImageType=["ORIGINAL", "PRIMARY", *kinds], **number
        )
    study = only(tmp_path, DEFAULT)
    np.testing.assert_array_equal(read(study.series["t1"]).data[0], array + 1)
    (warning, *_) = study.warnings
    assert "was left aside, as the other goes first by choose.words: it has NORM" in warning
    study = only(tmp_path, Choice(["-NORM"]))
    np.testing.assert_array_equal(read(study.series["t1"]).data[0], array)


def test_a_number_goes_before_all_other_reasons(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, SeriesNumber=3)
    write_dicom(tmp_path / "b", array, UPRIGHT, SeriesNumber=7, ImageType=["DERIVED", "SECONDARY"])
    assert only(tmp_path).series["t1"].number == 3
    study = only(tmp_path, Choice(series=[7]))
    assert study.series["t1"].number == 7
    assert study.warnings[0].startswith(
        "t1 is series 7 't1'; series 3 't1' was left aside, as choose.series says; no header names a contrast"
    )


@pytest.mark.parametrize(
    ("one", "other", "rules", "said"),
    [
        ({"NORM"}, {"ND"}, ["NORM"], "it has NORM"),
        ({"ND"}, {"NORM"}, ["NORM"], ""),
        ({"M"}, {"ND"}, ["norm", "-nd"], "it has no ND"),
        ({"M"}, {"M"}, ["NORM", "-ND"], ""),
        ({"B", "NORM"}, {"A", "NORM"}, ["NORM", "A"], ""),
    ],
)
def test_the_first_word_that_tells_decides(one, other, rules, said):
    assert deciding(frozenset(one), frozenset(other), rules) == said


# Studies


def test_an_ambiguous_study_does_not_stop_the_others(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, PatientID="A", SeriesNumber=3)
    write_dicom(tmp_path / "b", array, UPRIGHT, PatientID="A", SeriesNumber=7)
    write_dicom(tmp_path / "c", array, UPRIGHT, PatientID="B")
    found = studies(tmp_path)
    assert [study.id for study in found.studies] == ["B"]
    ((name, files),) = [(fault.id, fault.files) for fault in found.faults]
    assert (name, len(files)) == ("A", 24)
    assert "claim to be the t1; take one with choose.series=[3] or [7]" in found.faults[0].message


def test_every_file_is_used_or_left_out_or_at_fault(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT, PatientID="A", SeriesNumber=3)
    write_dicom(
        tmp_path / "b", array, UPRIGHT, PatientID="A", SeriesNumber=7, ImageType=["DERIVED", "SECONDARY"]
    )
    write_dicom(tmp_path / "c", array, UPRIGHT, PatientID="A", SeriesDescription="ADC")
    write_dicom(tmp_path / "d", array, UPRIGHT, PatientID="B", SeriesNumber=3)
    write_dicom(tmp_path / "e", array, UPRIGHT, PatientID="B", SeriesNumber=5)
    write_dicom(tmp_path / "f", array, UPRIGHT, PatientID="C", Modality="CT")
    found = studies(tmp_path)
    used = [file for study in found.studies for series in study.series.values() for file in series.files]
    others = [file for one in (*found.left_out, *found.faults) for file in one.files]
    assert sorted([*used, *others]) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"SeriesDescription": "OsiriX ROI SR", "Modality": "SR"}, "is SR, a report"),
        ({"SeriesDescription": "OsiriX ROI"}, "is a drawing of another program"),
        ({"SeriesDescription": "T1 Overlay"}, "is a drawing of another program"),
        ({"SeriesDescription": "T1 MAP"}, "is a map"),
        ({"SeriesDescription": "t1 secondary capture"}, "is a screen capture"),
        ({"Modality": "SEG"}, "is SEG, a segmentation"),
        ({"Modality": "RTSTRUCT"}, "is RTSTRUCT, contours of another program"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "is a screen capture"),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "T1 MAP"]}, "is a map (ImageType T1 MAP)"),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "T1_MAP"]}, "is a map (ImageType T1_MAP)"),
        ({"ImageType": ["DERIVED", "SECONDARY", "CSA_MPR"]}, "is a reformat (ImageType CSA_MPR)"),
        ({"ImageType": lambda z: ["ORIGINAL", "PRIMARY", "FIELD_MAP" if z % 2 else "M"]}, "field map"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "is a mosaic of many slices"),
    ],
)
def test_what_other_programs_wrote_is_left_out_by_name(headers, reason, array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT)
    write_dicom(tmp_path / "b", array, UPRIGHT, SeriesNumber=9, **headers)
    found = studies(tmp_path)
    assert list(found.studies[0].series) == ["t1"]
    assert found.studies[0].series["t1"].number == 1
    (left,) = found.left_out
    assert reason in left.reason


def test_regions_without_pixels_are_left_out_by_their_class(array, write_dicom, tmp_path):
    write_dicom(tmp_path / "a", array, UPRIGHT)
    kind = pydicom.uid.BasicTextSRStorage
    nothing = dict.fromkeys(("Rows", "Columns"))
    (roi, *_) = write_dicom(
        tmp_path / "b", array[..., :1], UPRIGHT, SOPClassUID=kind, Modality="MR", **nothing
    )
    found = studies(tmp_path)
    assert [(one.files, one.reason) for one in found.left_out] == [
        ((roi,), "holds no image (Basic Text SR Storage)")
    ]


# Enhanced files


@pytest.mark.parametrize("compress", [None, RLELossless])
def test_an_enhanced_file_is_the_series_that_it_was_made_of(compress, array, write_dicom, tmp_path, enhanced):
    array = array[:6, :8] % 200
    files = write_dicom(tmp_path / "in", array, UPRIGHT, SeriesDescription="t1 pre")
    slopes = [{"slope": 1 if k < 6 else 1.5, "intercept": -7} for k in range(12)][::-1]
    enhanced(tmp_path / "out" / "one.dcm", files[::-1], frames=slopes, compress=compress)
    study = only(tmp_path / "out")
    volume, classic = read(study.series["t1"]), read(Series(tuple(files)))
    slope = np.where(np.arange(12) < 6, 1, 1.5)
    np.testing.assert_array_equal(volume.data[0], array * slope - 7)
    assert volume.grid.difference(classic.grid) is None
    (subject,) = find_subjects(tmp_path / "out" / "one.dcm")
    assert list(subject.images) == ["t1"]


def test_echoes_and_phases_in_an_enhanced_file(array, write_dicom, tmp_path, enhanced):
    files = write_dicom(tmp_path / "in", array, UPRIGHT, SeriesDescription="PD+T2")
    others = write_dicom(tmp_path / "more", array + 1, UPRIGHT)
    phases = write_dicom(tmp_path / "phases", array + 2, UPRIGHT)
    frames = [
        *[{"echo": 15, "component": "MAGNITUDE"}] * 12,
        *[{"echo": 90, "component": "MAGNITUDE"}] * 12,
        *[{"echo": 90, "component": "PHASE"}] * 12,
    ]
    enhanced(tmp_path / "out" / "one", [*files, *others, *phases], frames=frames)
    found = studies(tmp_path / "out")
    (study,) = found.studies
    np.testing.assert_array_equal(read(study.series["t2"]).data[0], array + 1)
    assert len(found.left_out) == 2


def test_an_enhanced_file_with_a_frame_missing_is_named(array, write_dicom, tmp_path, enhanced):
    path = enhanced(tmp_path / "out" / "one", write_dicom(tmp_path / "in", array, UPRIGHT))
    edit(path, NumberOfFrames=13)
    with pytest.raises(DataError, match="one: says that it has 13 frames, and describes 12"):
        find_subjects(tmp_path / "out")
    path = enhanced(tmp_path / "out" / "one", write_dicom(tmp_path / "in", array, UPRIGHT))
    edit(path, PixelData=pydicom.dcmread(path).PixelData[:-126])
    with pytest.raises(
        ImageError, match=r"one: 108 rows x 7 columns .* are 1512 bytes, but its pixels are 1386"
    ):
        read(only(tmp_path / "out").series["t1"])


# A tilted gantry


def tilted(files, degrees):
    for path in files:
        x, y, z = map(float, pydicom.dcmread(path).ImagePositionPatient)
        edit(path, ImagePositionPatient=[x, y + np.tan(np.radians(degrees)) * z, z])


def test_a_tilted_gantry_is_resampled_upright_where_that_is_allowed(write_dicom, tmp_path, caplog):
    # A ramp along y in the world: wherever it is sampled, linear interpolation finds it again.
    _, y, z = np.meshgrid(np.arange(8), np.arange(20), np.arange(12), indexing="ij")
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    slant = np.tan(np.radians(20))
    world_y = y - slant * z  # DICOM's y points backwards, where ours points to the front
    files = write_dicom(tmp_path, np.round(1000 + 10 * world_y).astype(np.int16), affine)
    tilted(files, 20)
    (subject,) = find_subjects(tmp_path)
    with pytest.raises(GeometryError, match=r"gantry tilt of 20\.0 degrees\); set pipeline.align=resample"):
        read_scans(subject, None, Align.refuse)
    scans = read_scans(subject, None, Align.resample)
    (warning,) = [text for text in scans.warnings if "gantry" in text]
    assert warning.startswith("t1 is from a gantry tilted by 20.0 degrees and was resampled upright")
    volume = scans.images["t1"]
    data = volume.data[0]
    index = np.argwhere(data > 0)
    inner = [
        tuple(at)
        for at in index
        if 0 < at[1] < data.shape[1] - 1
        and data[at[0], at[1] - 1, at[2]] > 900
        and data[at[0], at[1] + 1, at[2]] > 900
    ]
    places = np.array([(volume.grid.affine @ [*at, 1])[1] for at in inner])
    np.testing.assert_allclose([data[at] for at in inner], 1000 + 10 * places, atol=1.1)
    assert len(inner) > 0.8 * 8 * 20 * 12
    off = volume.grid.affine[:3, :3]
    np.testing.assert_allclose(off, np.diag(np.diag(off)), atol=1e-6)
