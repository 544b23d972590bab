from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainseg.images.planes import PLANES
from brainseg.images.volume import Grid
from brainseg.reporting import montage as module
from brainseg.reporting.canvas import CLASS_COLORS
from brainseg.reporting.montage import compose, draw_scene, middle_of, milliliters


@pytest.fixture
def head():
    """A head of 40 x 60 x 20 voxels, 2 x 2 x 4 mm: 80 x 120 x 80 mm, in air."""
    volume = np.zeros((48, 68, 24), dtype=np.float32)
    volume[4:44, 4:64, 2:22] = 100 + np.random.default_rng(0).random((40, 60, 20)) * 10
    return volume


SPACING = (2.0, 2.0, 4.0)


def composed(images, brain=None, labels=None, spacing_mm=SPACING):
    shape = next((image.shape for image in images.values()), (1, 1, 1))
    return compose(images, Grid(shape, np.diag([*spacing_mm, 1.0])), brain, labels)


def drawn(monkeypatch, images, brain=None, labels=None, title="title", note="note"):
    figures = []
    monkeypatch.setattr(module, "save", lambda figure, png, dpi: figures.append(figure))
    draw_scene(composed(images, brain, labels), title, note, Path("montage.png"))
    return figures[0]


def test_planes_have_the_size_of_the_head_in_millimetres(head):
    scene = composed({"t1": head})
    # 80 x 120 x 80 mm and a margin of 6 mm at each end: 3 voxels of 2 mm, 2 of 4 mm (1.5 rounded to even).
    assert scene.shape == (46, 66, 24)
    inches = {plane: np.multiply(scene.size_inches(plane), module.MM_PER_INCH) for plane in PLANES}
    np.testing.assert_allclose(inches["axial"], (92, 132))
    np.testing.assert_allclose(inches["coronal"], (92, 96))
    np.testing.assert_allclose(inches["sagittal"], (132, 96))


def test_every_tile_shows_its_plane_at_one_scale(head, monkeypatch):
    figure = drawn(monkeypatch, {"t1": head})
    width, height = figure.get_size_inches()
    sizes = [(a.get_position().width * width, a.get_position().height * height) for a in figure.axes]
    np.testing.assert_allclose(np.multiply(sizes, module.MM_PER_INCH), [(92, 132), (92, 96), (132, 96)])
    # A voxel of 2 x 4 mm is twice as high as wide in coronal and sagittal planes.
    assert [a.get_aspect() for a in figure.axes] == [1, 2, 2]


@pytest.mark.parametrize(
    ("voxel", "plane", "corner"),
    [
        ((40, 34, 12), "axial", "left"),  # high X is the patient's right, shown on the left
        ((8, 34, 12), "axial", "right"),
        ((24, 60, 12), "axial", "top"),  # anterior
        ((40, 34, 12), "coronal", "left"),
        ((24, 34, 20), "coronal", "top"),  # superior
        ((24, 60, 12), "sagittal", "left"),  # the face looks left
        ((24, 34, 4), "sagittal", "bottom"),
    ],
)
def test_a_bright_spot_is_where_radiologists_expect_it(head, voxel, plane, corner):
    brain = np.zeros(head.shape, dtype=bool)
    brain[20:29, 30:39, 10:15] = True  # the planes meet in its middle, (24, 34, 12)
    head[head > 0] = 100
    head[voxel] = 1000
    scene = composed({"t1": head}, brain)
    picture = module.cut(scene.greys["t1"], plane, scene.center[PLANES[plane]])
    row, column = np.array(np.unravel_index(picture.argmax(), picture.shape)) / picture.shape
    side = {"left": column < 0.3, "right": column > 0.7, "top": row < 0.3, "bottom": row > 0.7}
    assert [name for name, is_there in side.items() if is_there] == [corner]


def test_flipping_the_volume_mirrors_the_picture(head, tmp_path):
    head[36:42, 30:40, 10:14] = 300
    for name, volume in (("one", head), ("other", head[::-1])):
        scene = composed({"t1": volume}, None, (volume == 300).astype(np.uint8))
        draw_scene(scene, "", "", tmp_path / f"{name}.png")
    bright = []
    for name in ("one", "other"):
        axial = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)[
            :, : round(130 * 92 / 62)
        ]
        colored = (axial.max(2) - axial.min(2)) > 40  # the blue of the mask; all else is grey
        bright.append(np.argwhere(colored[70:-45])[:, 1].mean() / axial.shape[1])
    assert bright[0] < 0.35
    assert bright[1] > 0.65


def test_the_planes_meet_in_the_tumour_even_if_it_is_a_ring():
    x, y = np.indices((21, 21)) - 10
    ring = (np.hypot(x, y) < 9) & (np.hypot(x, y) > 6)
    volume = np.zeros((21, 21, 5), dtype=bool)
    volume[:, :, 2] = ring
    center = middle_of(volume, (1.0, 1.0, 1.0))
    assert volume[center]
    assert center[2] == 2


def test_without_a_tumour_the_planes_meet_in_the_brain(head):
    brain = np.zeros(head.shape, dtype=bool)
    brain[10:21, 30:41, 10:15] = True
    labels = np.zeros(head.shape, dtype=np.uint8)
    scene = composed({"t1": head}, brain, labels)
    first = np.array([1, 1, 0])  # of the box: the head begins at (4, 4, 2), 3, 3 and 2 voxels before it
    np.testing.assert_array_equal(scene.center, np.array([15, 35, 12]) - first)


def test_sequences_stand_side_by_side_with_their_names_above(head, monkeypatch):
    figure = drawn(monkeypatch, {"t1": head, "t2": head, "flair": head})
    assert len(figure.axes) == 9
    assert [a.get_title() for a in figure.axes][:3] == ["t1", "t2", "flair"]
    letters = [text.get_text() for text in figure.axes[0].texts]
    assert letters == ["R", "L", "A", "P"]


def test_the_legend_tells_the_volumes_in_millilitres(head, monkeypatch):
    labels = np.zeros(head.shape, dtype=np.uint8)
    labels[10:20, 10:20, 10:15] = 2  # 500 voxels of 16 mm3
    figure = drawn(monkeypatch, {"t1": head}, head > 0, labels)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["brain  768 ml", "necrotic core  0.0 ml", "edema  8.0 ml", "enhancing tumor  0.0 ml"]


@pytest.mark.parametrize("sequences", [1, 2, 3, 4])
def test_the_legend_lies_within_the_picture_below_the_tiles(head, monkeypatch, sequences):
    images = dict.fromkeys(("t1", "t1ce", "t2", "flair")[:sequences], head)
    figure = drawn(monkeypatch, images, head > 0, np.zeros(head.shape, dtype=np.uint8))
    figure.canvas.draw()
    width = figure.get_size_inches()[0] * figure.dpi
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= width
    assert box.y1 <= min(axes.get_window_extent().y0 for axes in figure.axes) + 2


def test_millilitres_have_a_decimal_only_where_it_matters():
    mask = np.ones((10, 10, 10), dtype=bool)
    assert milliliters(mask, 0.001) == "1.0"
    assert milliliters(mask, 0.125) == "125"


def test_every_class_has_a_colour_of_its_own():
    assert len(set(CLASS_COLORS.values())) == len(CLASS_COLORS) == 5


def test_volumes_on_other_grids_are_named(head):
    with pytest.raises(ValueError, match=r"t2 is \(3, 3, 3\) but t1 is \(48, 68, 24\)"):
        composed({"t1": head, "t2": np.zeros((3, 3, 3))})
    with pytest.raises(ValueError, match="no image"):
        composed({})


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_an_empty_scan_still_makes_a_picture(tmp_path, value):
    scene = composed({"t1": np.full((8, 8, 8), value)}, spacing_mm=(1.0, 1.0, 1.0))
    draw_scene(scene, "empty", "", tmp_path / "m.png")
    assert Image.open(tmp_path / "m.png").size[0] > 300


def test_the_longest_title_and_note_fit_into_the_narrowest_picture(monkeypatch, head):
    note = "mean of 27 slices: meningioma 0.14, notumor 0.85"
    title = "BraTS20_Training_355: meningioma"
    narrow = head[16:32, 24:40]
    figure = drawn(monkeypatch, {"t1": narrow, "t2": narrow}, title=title, note=note)
    above, below = (text.get_window_extent() for text in figure.texts[:2])
    for box in (above, below):
        assert box.x0 > 0
        assert box.x1 < figure.bbox.width
    assert below.y1 < above.y0


@pytest.mark.data
def test_a_real_glioma_is_drawn_with_its_tumour_in_every_plane(tmp_path, real_data):
    import nibabel as nib

    folder = real_data / "brats13" / "BraTS13_pat0001"
    read = lambda kind: nib.as_closest_canonical(nib.load(folder / f"{folder.name}_{kind}.nii.gz"))  # noqa: E731
    flair, seg = read("flair"), np.asarray(read("seg").dataobj).astype(int)
    labels = np.choose(seg, [0, 1, 2, 1, 3]).astype(np.uint8)
    scene = composed({"flair": np.asarray(flair.dataobj)}, None, labels, (1.0, 1.0, 1.0))
    assert scene.labels[scene.center] > 0
    assert all((module.cut(scene.labels, p, scene.center[PLANES[p]]) > 0).sum() > 300 for p in PLANES)
    draw_scene(scene, "real", "", tmp_path / "m.png")
    assert (tmp_path / "m.png").stat().st_size > 50_000
