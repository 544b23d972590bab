import numpy as np
import pytest

from brainseg.inference import diameters


def test_a_row_of_voxels_is_as_long_as_its_faces_lie_apart():
    mask = np.zeros((12, 9, 9), bool)
    mask[1:11, 4, 4] = True
    found = diameters(mask, (1.5, 2.0, 3.0))
    assert (found.largest, found.axial, found.across) == (15.0, 15.0, 2.0)


def test_a_column_is_long_in_space_and_a_voxel_in_each_axial_slice():
    mask = np.zeros((9, 9, 12), bool)
    mask[4, 4, 1:11] = True
    found = diameters(mask, (1.0, 1.0, 2.0))
    assert (found.largest, found.axial, found.across) == (20.0, 1.0, 1.0)


def test_an_ellipsoid_has_its_axes_within_a_voxel():
    x, y, z = np.indices((61, 61, 61)) - 30
    mask = (x / 12) ** 2 + (y / 24) ** 2 + (z / 8) ** 2 <= 1
    found = diameters(mask, (1.0, 1.0, 1.0))
    assert found.largest == pytest.approx(48, abs=1.1)
    assert found.axial == pytest.approx(48, abs=1.1)
    assert found.across == pytest.approx(24, abs=1.1)


def test_only_the_largest_piece_counts_and_nothing_has_no_diameter():
    mask = np.zeros((20, 20, 5), bool)
    mask[0:4, 0:4, 2] = True
    mask[19, 19, 2] = True
    # The middles of the faces of a square of 4: 4 across, and (3.5, 3.5) apart along its diagonal.
    assert diameters(mask, (1.0, 1.0, 1.0)).axial == pytest.approx(np.hypot(3.5, 3.5), abs=0.06)
    assert diameters(np.zeros((4, 4, 4), bool), (1.0, 1.0, 1.0)) is None
