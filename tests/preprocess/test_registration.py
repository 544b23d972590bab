"""A head that moved between two scans is found again; what cannot be found is said."""

from functools import lru_cache

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from brainseg.images.volume import Grid, Volume, resample_to
from brainseg.phantom import make_subject
from brainseg.preprocess.registration import register_rigidly


def motion(degrees, shift_mm) -> np.ndarray:
    """Turned about R, A and S, one after the other, then shifted."""
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return nib.affines.from_matvec(turn, shift_mm)


def after(moved: np.ndarray, volume: Volume) -> Volume:
    """What the scanner gives of a head that has moved: the same grid, whose header knows nothing of it."""
    return resample_to(
        Volume(volume.data, Grid(volume.grid.shape, moved @ volume.grid.affine)), volume.grid, nearest=False
    )


@lru_cache
def head(seed: int):
    subject = make_subject(seed, tumor_type="glioma", spacing_mm=2.0, sequences=("t1", "t2", "flair", "t1ce"))
    volumes = {name: Volume(image[None], subject.grid) for name, image in subject.images.items()}
    return volumes, nib.affines.apply_affine(subject.grid.affine, np.argwhere(subject.brain))


@pytest.mark.parametrize(
    ("seed", "sequence", "degrees", "shift_mm"),
    [
        (3, "t2", (6, 0, 0), (8, 0, 0)),
        (8, "flair", (-3, 4, -3), (-4, 5, 4)),
        (3, "t1ce", (4, 4, 4), (30, 0, 10)),
    ],
)
def test_a_known_motion_is_undone_to_less_than_a_millimetre(seed, sequence, degrees, shift_mm):
    volumes, brain_mm = head(seed)
    moved = motion(degrees, shift_mm)
    found = register_rigidly(after(moved, volumes[sequence]), volumes["t1"])
    assert found.refused is None
    left_mm = np.linalg.norm(nib.affines.apply_affine(found.matrix @ moved, brain_mm) - brain_mm, axis=1)
    assert left_mm.mean() < 0.5
    assert found.information[1] > 1.5 * found.information[0]
    undone = Rotation.from_matrix(moved[:3, :3].T).as_euler("xyz", degrees=True)
    np.testing.assert_allclose(found.rotation_degrees, undone, atol=0.5)
    ways_mm = nib.affines.apply_affine(found.matrix, brain_mm) - brain_mm
    np.testing.assert_allclose(
        found.translation_mm, ways_mm.mean(axis=0), atol=4
    )  # at the middle of the head
    assert found.largest_mm > np.linalg.norm(ways_mm, axis=1).max() - 1
    grid = volumes[sequence].grid
    np.testing.assert_allclose(found.moved(grid).affine, found.matrix @ grid.affine)


def test_a_head_that_did_not_move_stays():
    volumes, _ = head(3)
    found = register_rigidly(volumes["t2"], volumes["t1"])
    assert found.refused is None
    assert found.largest_mm < 0.5


def test_the_same_scans_give_the_same_bits_on_any_number_of_threads():
    volumes, _ = head(3)
    moving = after(motion((2, 0, 0), (3, 0, 0)), volumes["flair"])
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    first = register_rigidly(moving, volumes["t1"])
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        again = register_rigidly(moving, volumes["t1"])
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 3  # left as it was found
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    assert (first.information, first.largest_mm) == (again.information, again.largest_mm)


def test_noise_is_refused_and_stays_where_its_header_puts_it():
    volumes, _ = head(3)
    grid = volumes["t1"].grid
    noise = Volume(np.random.default_rng(0).random((1, *grid.shape), np.float32), grid)
    found = register_rigidly(noise, volumes["t1"])
    assert found.refused == "the mutual information is 0.00 nats (limit: at least 0.1)"
    assert found.moved(grid) is grid


def test_a_motion_that_no_patient_makes_between_two_scans_is_refused():
    volumes, _ = head(3)
    grid = volumes["t1"].grid
    there = motion((0, 0, 0), (0, 70, 0)) @ grid.affine
    found = register_rigidly(Volume(volumes["t1"].data, Grid(grid.shape, there)), volumes["t1"])
    assert found.refused.startswith(
        "the head would move by 70 mm (limit: at most 60) and turn by 0 degrees (limit: at most 30)"
    )


def test_fields_of_view_that_do_not_meet_are_refused_in_itk_s_words():
    volumes, _ = head(3)
    grid = volumes["t2"].grid
    far = Volume(volumes["t2"].data, Grid(grid.shape, motion((0, 0, 0), (0, 0, 900)) @ grid.affine))
    found = register_rigidly(far, volumes["t1"])
    assert found.refused
    assert "\n" not in found.refused
