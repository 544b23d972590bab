"""Masks of enhanced multi-frame scans: read back where they were, and they name files and frames."""

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.uid import EnhancedMRImageStorage, generate_uid

from brainseg.dicom.capture import write_capture
from brainseg.dicom.segmentation import write_segmentations
from brainseg.dicom.segments import SEGMENTS
from brainseg.dicom.source import sources_of
from brainseg.images.dicom import read
from brainseg.images.dicom_series import find_studies
from brainseg.images.preference import Choice
from brainseg.images.volume import Grid, Volume, ras_grid, to_ras

STEPS = np.diag([2.0, 3, 4])
TURNS = {
    "axial": np.diag([-1.0, 1, 1]),
    "sagittal": np.array([[0, 0, 1.0], [-1, 0, 0], [0, 1, 0]]),
    "oblique": nib.eulerangles.euler2mat(0.5, -0.3, 0.4) @ np.diag([-1.0, 1, 1]),
}
FRAME_OF_REFERENCE = generate_uid()


@pytest.fixture
def files(write_dicom, tmp_path):
    """The slices of a scan as classic files; the scan has another whole number in every voxel."""

    def _files(kind, name="in", **headers):
        array = np.random.default_rng(1).permutation(8 * 10 * 12).reshape(8, 10, 12).astype(np.int16)
        affine = nib.affines.from_matvec(TURNS[kind] @ STEPS, [-11, 23, 7])
        given = {"FrameOfReferenceUID": FRAME_OF_REFERENCE, "EchoTime": 10, **headers}
        return write_dicom(tmp_path / name, array, affine, **given)

    return _files


@pytest.fixture
def masks():
    """Two segments at random, one within the other."""
    inside, found = np.ones((8, 10, 12), bool), {}
    for seed, name in enumerate(list(SEGMENTS)[:2]):
        inside = inside & (np.random.default_rng(seed).random(inside.shape) < 0.7)
        found[name] = inside
    return found


def of_highdicom(path):
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    affine = np.diag([-1, -1, 1, 1]) @ volume.affine
    return to_ras(Volume(volume.array[None], Grid(volume.array.shape, affine)))


def of_itk(path):
    image = sitk.ReadImage(path)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    return to_ras(Volume(array[None] > 0, Grid(array.shape, np.diag([-1, -1, 1, 1]) @ affine)))


def series_of(*paths):
    (study,) = find_studies(paths).studies
    return study.series["t1"]


def frames_named(made):
    """File and number of the frame, and where it lies, that each frame of an object was made from."""
    for group in made.PerFrameFunctionalGroupsSequence:
        (item,) = group.DerivationImageSequence[0].SourceImageSequence
        place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        yield item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.ReferencedFrameNumber, place


@pytest.mark.parametrize("kind", TURNS)
def test_a_segment_comes_back_and_each_frame_names_the_frame_at_its_place(
    kind, files, masks, enhanced, tmp_path
):
    order = np.random.default_rng(0).permutation(12)  # as Philips has them: not in the order of their places
    slices = files(kind)
    path = enhanced(tmp_path / "one.dcm", [slices[k] for k in order])
    source = pydicom.dcmread(path, stop_before_pixels=True)
    scan = series_of(path)
    grid = read(scan).grid
    written = write_segmentations(tmp_path, "a", masks, grid, sources_of(scan, 4.0), "0.1.0")
    for name, mask in masks.items():
        upright = to_ras(Volume(mask[None], grid)).data[0]
        for back in (of_highdicom(tmp_path / written[name]), of_itk(tmp_path / written[name])):
            assert back.grid.difference(ras_grid(grid)) is None
            np.testing.assert_array_equal(back.data[0] > 0, upright)
        made = pydicom.dcmread(tmp_path / written[name])
        assert made.FrameOfReferenceUID == FRAME_OF_REFERENCE
        (item,) = made.SourceImageSequence
        assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (
            EnhancedMRImageStorage,
            source.SOPInstanceUID,
        )
        assert list(item.ReferencedFrameNumber) == list(range(1, 13))
        (series,) = made.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == source.SeriesInstanceUID
        assert [one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence] == [
            source.SOPInstanceUID
        ]
        for sop_class, instance, number, place in frames_named(made):
            assert (sop_class, instance) == (EnhancedMRImageStorage, source.SOPInstanceUID)
            frame = source.PerFrameFunctionalGroupsSequence[number - 1]
            there = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
            np.testing.assert_allclose(place, there, atol=1e-3)


def test_frames_of_another_echo_in_the_file_are_not_named(files, masks, enhanced, tmp_path):
    slices = [*files("axial"), *files("axial", "more")]
    echoes = [{"echo": 10}] * 12 + [{"echo": 90}] * 12
    path = enhanced(tmp_path / "one.dcm", slices, frames=echoes)
    (study,) = find_studies([path], choice=Choice(["TE10"])).studies
    scan = study.series["t1"]
    assert len(scan.frames) == 12
    written = write_segmentations(tmp_path, "a", masks, read(scan).grid, sources_of(scan, 4.0), "0.1.0")
    made = pydicom.dcmread(tmp_path / written["brain"])
    wanted = sorted(number + 1 for _, number in scan.frames)
    assert list(made.SourceImageSequence[0].ReferencedFrameNumber) == wanted
    assert sorted(number for _, _, number, _ in frames_named(made)) == wanted


def test_several_enhanced_files_of_a_series_are_all_named(files, masks, enhanced, tmp_path):
    slices = files("oblique")
    halves = [slices[:6], slices[6:]]
    paths = [enhanced(tmp_path / f"{k}.dcm", half) for k, half in enumerate(halves)]
    scan = series_of(*paths)
    written = write_segmentations(tmp_path, "a", masks, read(scan).grid, sources_of(scan, 4.0), "0.1.0")
    made = pydicom.dcmread(tmp_path / written["brain"])
    instances = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths}
    assert {item.ReferencedSOPInstanceUID for item in made.SourceImageSequence} == instances
    assert all(list(item.ReferencedFrameNumber) == [1, 2, 3, 4, 5, 6] for item in made.SourceImageSequence)
    assert {instance for _, instance, _, _ in frames_named(made)} == instances


def test_the_capture_names_the_frames_that_it_shows(files, enhanced, tmp_path):
    path = enhanced(tmp_path / "one.dcm", files("axial"))
    Image.new("RGB", (8, 6), "red").save(tmp_path / "montage.png")
    write_capture(tmp_path / "c.dcm", tmp_path / "montage.png", sources_of(series_of(path), 4.0), "0.1.0")
    (item,) = pydicom.dcmread(tmp_path / "c.dcm").SourceImageSequence
    source = pydicom.dcmread(path, stop_before_pixels=True)
    assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert list(item.ReferencedFrameNumber) == list(range(1, 13))


def test_cosines_that_differ_in_their_last_digits_are_one_plane(files, masks, tmp_path):
    slices = files("oblique")
    for k, path in enumerate(slices):
        header = pydicom.dcmread(path)
        header.ImageOrientationPatient = [
            f"{float(v) + 1e-5 * (k % 2):.9g}" for v in header.ImageOrientationPatient
        ]
        header.save_as(path)
    scan = series_of(*slices)
    grid = read(scan).grid
    written = write_segmentations(tmp_path, "a", masks, grid, sources_of(scan, 4.0), "0.1.0")
    upright = to_ras(Volume(masks["brain"][None], grid)).data[0]
    np.testing.assert_array_equal(of_itk(tmp_path / written["brain"]).data[0] > 0, upright)
