"""Masks of every kind of plane as DICOM segmentations, against two independent readers."""

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from brainseg.config.errors import ImageError
from brainseg.dicom.segmentation import write_segmentations
from brainseg.dicom.segments import SEGMENTS
from brainseg.dicom.source import sources_of, uid_of
from brainseg.images.dicom import Series, read
from brainseg.images.volume import Grid, Volume, ras_grid, to_ras

STEPS = np.diag([2.0, 3, 4])
TURNS = {
    "axial": np.diag([-1.0, 1, 1]),
    "from the top": np.diag([-1.0, -1, -1]),
    "sagittal": np.array([[0, 0, 1.0], [-1, 0, 0], [0, 1, 0]]),
    "coronal": np.array([[-1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "oblique": nib.eulerangles.euler2mat(0.5, -0.3, 0.4) @ np.diag([-1.0, 1, 1]),
}


@pytest.fixture
def series(write_dicom, tmp_path):
    def _series(kind, **headers):
        array = np.random.default_rng(1).integers(0, 900, (8, 10, 12)).astype(np.int16)
        affine = nib.affines.from_matvec(TURNS[kind] @ STEPS, [-11, 23, 7])
        return Series(tuple(write_dicom(tmp_path / "in", array, affine, **headers)))

    return _series


@pytest.fixture
def masks():
    """Every segment at random, each within the one before."""
    inside, found = np.ones((8, 10, 12), bool), {}
    for seed, name in enumerate(SEGMENTS):
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


@pytest.mark.parametrize("kind", TURNS)
def test_each_segment_comes_back_voxel_for_voxel_where_it_was(kind, series, masks, tmp_path):
    scan = series(kind, FrameOfReferenceUID=generate_uid())
    grid = read(scan).grid
    assert np.linalg.det(grid.affine) < 0
    files = write_segmentations(tmp_path, "a", masks, grid, sources_of(scan, 4.0), "0.1.0")
    source = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "in")))
    for name, mask in masks.items():
        upright = to_ras(Volume(mask[None], grid)).data[0]
        for back in (of_highdicom(tmp_path / files[name]), of_itk(tmp_path / files[name])):
            assert back.grid.difference(ras_grid(grid)) is None
            np.testing.assert_array_equal(back.data[0] > 0, upright)
        image = sitk.ReadImage(tmp_path / files[name])
        for get in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(image, get)(), getattr(source, get)(), atol=1e-4)


def test_an_empty_segment_is_written_with_all_of_its_planes(series, masks, tmp_path):
    scan = series("axial", FrameOfReferenceUID=generate_uid())
    nothing = {"enhancing_tumor": masks["brain"] & False}
    files = write_segmentations(tmp_path, "a", nothing, read(scan).grid, sources_of(scan, 4.0), "0.1.0")
    back = of_itk(tmp_path / files["enhancing_tumor"])
    assert back.data.shape == (1, 8, 10, 12)
    assert not back.data.any()


def test_the_same_masks_get_the_same_uids_and_others_get_others(series, masks, tmp_path):
    scan = series("axial")
    headers, grid = sources_of(scan, 4.0), read(scan).grid

    def uids(found):
        files = write_segmentations(tmp_path, "a", found, grid, headers, "0.1.0")
        return [hd.seg.segread(tmp_path / file).SOPInstanceUID for file in files.values()]

    assert uids(masks) == uids(masks)
    assert not set(uids(masks)) & set(uids({**masks, "brain": ~masks["brain"]}))
    assert uid_of(["a"]) != uid_of(["b"])


def test_a_series_that_does_not_say_which_study_it_is_of_is_named(series):
    with pytest.raises(ImageError, match=r"IM\d+: its header has no StudyInstanceUID"):
        sources_of(series("axial", StudyInstanceUID=None), 4.0)
