import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainseg.config.errors import GeometryError
from brainseg.images.volume import Grid, Volume, from_ras, ras_grid, resample_to, to_ras

from ..orientations import ORIENTATIONS


def stored_as(orientation: str, volume: Volume) -> Volume:
    """A RAS volume with its axes stored in another orientation; nibabel does it, independently of us."""
    image = nib.Nifti1Image(volume.data[0], volume.grid.affine)
    turns = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(tuple(orientation))
    )
    turned = image.as_reoriented(turns)
    return Volume(np.asarray(turned.dataobj)[None], Grid(turned.shape, turned.affine))


def marked(shape=(4, 5, 6), voxel=(1, 3, 2)) -> Volume:
    data = np.zeros((1, *shape), np.float32)
    data[(0, *voxel)] = 1
    affine = np.array([[1.0, 0, 0, -10], [0, 2.0, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
    return Volume(data, Grid(shape, affine))


def world_of_mark(volume: Volume) -> np.ndarray:
    return nib.affines.apply_affine(volume.grid.affine, np.argwhere(volume.data[0] == 1)[0])


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_ras_keeps_every_voxel_at_its_place_in_the_world(orientation):
    volume = stored_as(orientation, marked())
    ras = to_ras(volume)
    assert volume.grid.orientation == orientation
    assert ras.grid.orientation == "RAS"
    assert ras.data.shape == (1, 4, 5, 6)
    np.testing.assert_allclose(world_of_mark(ras), [-9, -14, 11])
    np.testing.assert_array_equal(from_ras(ras.data, volume.grid), volume.data)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_resampling_finds_voxels_by_world_coordinates_whatever_the_storage(orientation):
    source = marked()
    target = stored_as(orientation, source)
    for nearest in (True, False):
        np.testing.assert_allclose(
            resample_to(source, target.grid, nearest=nearest).data, target.data, atol=1e-6
        )


@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
    angles=st.tuples(*[st.floats(-0.4, 0.4)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_odd_shapes_and_oblique_scans_come_back_from_ras(shape, orientation, angles):
    rotation = nib.eulerangles.euler2mat(*angles)
    affine = nib.affines.from_matvec(rotation @ np.diag([0.7, 1, 4]), [3, -4, 5])
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    volume = stored_as(orientation, Volume(data, Grid(shape, affine)))
    ras = to_ras(volume)
    assert ras.grid.difference(ras_grid(volume.grid), tolerance_mm=1e-6) is None
    np.testing.assert_array_equal(from_ras(ras.data, volume.grid), volume.data)


def test_spacing_of_an_oblique_grid_is_the_distance_between_voxels():
    rotation = nib.eulerangles.euler2mat(0.3, 0.1, -0.2)
    grid = Grid((3, 3, 3), nib.affines.from_matvec(rotation @ np.diag([0.5, 1.5, 4])))
    assert grid.spacing_mm == pytest.approx((0.5, 1.5, 4))


def test_the_outer_voxels_survive_resampling_to_half_the_voxel_size():
    volume = Volume(np.full((1, 4, 4, 4), 7.0, np.float32), Grid((4, 4, 4), np.eye(4)))
    fine = Grid((8, 8, 8), nib.affines.from_matvec(np.eye(3) / 2, [-0.25] * 3))
    np.testing.assert_allclose(resample_to(volume, fine, nearest=False).data, 7.0)


def test_what_lies_outside_of_the_field_of_view_is_zero():
    volume = Volume(np.ones((1, 4, 4, 4), np.float32), Grid((4, 4, 4), np.eye(4)))
    shifted = Grid((4, 4, 4), nib.affines.from_matvec(np.eye(3), [2, 0, 0]))
    for nearest in (True, False):
        assert resample_to(volume, shifted, nearest=nearest).data[0, :, 0, 0].tolist() == [1, 1, 0, 0]


def grid(shape=(10, 10, 10), scale=1.0, shift=0.0, turn=0.0):
    matrix = nib.eulerangles.euler2mat(turn) @ np.diag([scale, 1, 1])
    return Grid(shape, nib.affines.from_matvec(matrix, [shift, 0, 0]))


@pytest.mark.parametrize(
    ("other", "phrase"),
    [
        (grid(shape=(10, 10, 9)), "shape 10 x 10 x 10 against 10 x 10 x 9"),
        (grid(scale=1.5), "voxel size 1 x 1 x 1 mm against 1.5 x 1 x 1 mm"),
        (grid(scale=-1), "orientation RAS against LAS"),
        (grid(shift=2.5), "shifted: corners lie up to 2.5 mm apart"),
        (grid(turn=0.1), "rotated: corners lie up to 1.27 mm apart"),  # 2 sin(.05) * 9 sqrt(2) mm
    ],
)
def test_a_difference_says_what_and_how_far(other, phrase):
    assert grid().difference(other) == phrase


def test_a_hundredth_of_a_millimetre_is_no_difference_unless_asked():
    assert grid().difference(grid(shift=0.009)) is None
    assert grid().difference(grid(shift=0.009), tolerance_mm=0.001) is not None


def test_an_array_off_its_grid_is_refused():
    with pytest.raises(GeometryError, match=r"1 x 2 x 2 x 2 does not lie on a grid 10 x 10 x 10"):
        Volume(np.zeros((1, 2, 2, 2)), grid())


def test_the_volume_of_a_voxel_is_that_of_the_box_that_its_axes_span():
    straight, sheared = np.diag([2.0, 3.0, 4.0, 1.0]), np.diag([2.0, 3.0, 4.0, 1.0])
    sheared[0, 1] = 1.5  # base 2, height 3 and depth 4, though the second side is longer than 3
    for affine in (straight, sheared, straight[[1, 0, 2, 3]]):
        assert Grid((5, 5, 5), affine).voxel_ml == pytest.approx(0.024)
    assert np.prod(Grid((5, 5, 5), sheared).spacing_mm) > 26
