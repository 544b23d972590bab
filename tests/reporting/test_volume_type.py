import numpy as np
import pytest

from brainseg.images.volume import Grid
from brainseg.reporting import volume_type as module
from brainseg.reporting.montage import compose
from brainseg.reporting.volume_type import draw_volume_type

GRID = Grid((20, 24, 22), np.diag([5.0, 5.0, 5.0, 1.0]))


@pytest.fixture
def figures(monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "save", lambda figure, png, dpi: drawn.append(figure))
    return drawn


def scene(heat):
    image = np.zeros(GRID.shape, np.float32)
    image[3:17, 4:20, 3:19] = 100
    return compose({"t1": image, "t1ce": image}, GRID, image > 0, None, heat=heat)


def test_three_planes_through_the_hottest_voxel_and_a_bar_for_each_classifier(figures, tmp_path):
    heat = np.zeros(GRID.shape, np.float32)
    heat[6, 15, 9] = 1.0
    drawn, answers = (
        scene(heat),
        {"whole brain": {"glioma": 0.7, "notumor": 0.3}, "27 slices": {"glioma": 1.0}},
    )
    draw_volume_type(drawn, "t1ce", answers, "title", "note", tmp_path / "x.png")
    *planes, bars = figures[0].axes
    assert [axes.get_title() for axes in planes] == ["axial, t1ce", "coronal, t1ce", "sagittal, t1ce"]
    for axes in planes:
        _, shown = axes.images
        assert shown.get_array().max() == 1.0
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.7, 0.3, 1.0])
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["whole brain", "27 slices"]


@pytest.mark.parametrize("heat", [None, np.zeros(GRID.shape, np.float32)])
def test_without_heat_the_planes_meet_in_the_brain(figures, heat, tmp_path):
    draw_volume_type(scene(heat), "t1", {"whole brain": {"glioma": 1.0}}, "title", "note", tmp_path / "x.png")
    assert len(figures[0].axes) == 4
