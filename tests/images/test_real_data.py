import numpy as np
import pytest

from brainseg.config.errors import GeometryError
from brainseg.images import nifti
from brainseg.images.jpeg import read_slice
from brainseg.images.labels import detect, to_classes
from brainseg.images.layouts import find_subjects, load_subject

pytestmark = pytest.mark.data


def test_brats_2013_is_found_by_name_and_its_labels_by_value(real_data):
    subjects = find_subjects(real_data / "brats13")
    assert [s.id for s in subjects] == [f"BraTS13_pat000{n}" for n in (1, 2, 3, 4)]
    assert {tuple(s.images) for s in subjects} == {("t1ce", "flair")}
    labels = [nifti.read_labels(s.truth) for s in subjects]
    found = set().union(*(np.unique(volume.data).tolist() for volume in labels))
    convention = detect(found, subjects[0].layout)
    assert convention.name == detect(found, None).name == "brats-2018"
    assert set(np.unique(to_classes(labels[0].data, convention, subjects[0].truth))) == {0, 1, 2, 3}


def test_a_mask_of_a_real_scan_lies_on_its_grid(real_data, tmp_path):
    subject = find_subjects(real_data / "brats13")[0]
    volume = load_subject(subject, ["flair", "t1ce"])
    assert volume.data.shape == (2, 240, 240, 155)
    nifti.write(tmp_path / "mask.nii.gz", volume.data[0] != 0, volume.grid)
    written = nifti.read_labels(tmp_path / "mask.nii.gz").grid
    assert written.difference(volume.grid, tolerance_mm=1e-9) is None
    assert int(written.header["sform_code"]) == int(volume.grid.header["sform_code"]) == 2


def test_open_ms_has_two_subjects_with_masks_in_each_sequences_own_grid(real_data):
    subjects = find_subjects(real_data / "open_ms")
    assert [s.id for s in subjects] == ["patient01", "patient12"]
    for subject in subjects:
        assert list(subject.images) == list(subject.brain_masks) == ["t1", "t2", "flair"]
        assert subject.layout == "loose"
        for sequence, source in subject.images.items():
            grid = nifti.read(source.path).grid
            assert grid.difference(nifti.read_labels(subject.brain_masks[sequence]).grid) is None
    with pytest.raises(
        GeometryError, match=r"patient01_FLAIR.*patient01_T1w.*320 x 320 x 36 against 320 x 320 x 39"
    ):
        load_subject(subjects[0], ["t1", "flair"])


def test_kaggle_slices_are_grey_images_of_224_pixels(real_data):
    paths = sorted((real_data / "kaggle" / "Training").glob("*/*.jpg"))[::500]
    assert len(paths) >= 11
    assert {read_slice(path).shape for path in paths} == {(224, 224)}
