"""One way to cut a plane, and the side that it shows."""

import numpy as np
import pytest

from brainseg.images.planes import PLANES, cut, seen_axes


@pytest.mark.parametrize(
    ("plane", "direction", "corner"),
    [
        ("axial", (0, 1, 0), "top"),  # anterior
        ("axial", (1, 0, 0), "left"),  # the patient's right
        ("coronal", (0, 0, 1), "top"),  # superior
        ("coronal", (1, 0, 0), "left"),
        ("sagittal", (0, 0, 1), "top"),
        ("sagittal", (0, 1, 0), "left"),  # anterior
    ],
)
def test_slices_are_turned_as_radiologists_show_them(plane, direction, corner):
    volume = sum(
        step * index for step, index in zip(direction, np.indices((4, 5, 6)), strict=True)
    )  # grows that way
    image = cut(volume, plane, 2)
    along = image[:, 0] if corner == "top" else image[0]
    assert np.argmax(along) == 0
    assert (np.diff(along) == -1).all()


@pytest.mark.parametrize(("plane", "shape"), [("sagittal", (6, 5)), ("coronal", (6, 4)), ("axial", (5, 4))])
def test_planes_of_ras_are_sagittal_yz_coronal_xz_axial_xy(plane, shape):
    assert cut(np.zeros((4, 5, 6)), plane, 0).shape == shape
    across, up = seen_axes(plane)
    assert ((4, 5, 6)[up], (4, 5, 6)[across]) == shape
    assert {across, up, PLANES[plane]} == {0, 1, 2}


def test_cut_shows_right_on_the_left_and_anterior_on_top():
    volume = np.zeros((3, 4, 5), dtype=int)
    volume[2, 3, 0] = 1  # right, anterior, inferior
    assert np.argwhere(cut(volume, "axial", 0)).tolist() == [[0, 0]]
    assert np.argwhere(cut(volume, "coronal", 3)).tolist() == [[4, 0]]  # inferior: the last row
    assert np.argwhere(cut(volume, "sagittal", 2)).tolist() == [[4, 0]]  # the face looks left
    assert cut(volume, "axial", 0).shape == (4, 3)
