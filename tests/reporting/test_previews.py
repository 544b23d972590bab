import numpy as np
import pytest
from PIL import Image

from brainseg.reporting import previews as module
from brainseg.reporting.canvas import WRONG, class_color
from brainseg.reporting.previews import draw_previews
from brainseg.tasks.preview import Preview

CLASSES = ("background", "necrotic_core", "edema", "enhancing_tumor")


@pytest.fixture
def figures(monkeypatch):
    kept = []
    monkeypatch.setattr(module, "save", lambda figure, png: kept.append(figure))
    return kept


def segmented(shift=0):
    mask = np.zeros((32, 32), dtype=int)
    mask[8:20, 8:20] = 2
    image = np.random.default_rng(0).random((32, 32))
    return Preview(image, "case 1", truth=mask, guess=np.roll(mask, shift))


def test_a_preview_with_masks_has_three_tiles(figures):
    draw_previews([segmented(), segmented()], "previews.png", CLASSES)
    names = [text.get_text() for axes in figures[0].axes for text in axes.texts]
    assert names == ["", "truth", "guess"] * 2


def test_truth_and_guess_are_drawn_in_the_colour_of_their_class(figures):
    draw_previews([segmented()], "previews.png", CLASSES)
    image, truth, guess = figures[0].axes
    assert not image.collections
    from matplotlib.colors import to_rgba

    for axes in (truth, guess):
        edge = axes.collections[-1].get_edgecolor()[0]
        assert tuple(edge) == to_rgba(class_color("edema", 2))


def test_a_wrong_guess_of_a_class_is_red(figures):
    image = np.random.default_rng(0).random((8, 8))
    right = Preview(image, "truth glioma, guess glioma 0.9", correct=True)
    wrong = Preview(image, "truth glioma, guess notumor 0.6", correct=False)
    draw_previews([right, wrong], "previews.png", ())
    colors = [text.get_color() == WRONG for text in figures[0].texts]
    assert colors == [False, True]


def test_a_long_caption_is_broken_after_its_commas(figures):
    draw_previews([Preview(np.eye(8), "truth meningioma, guess pituitary 0.83")], "previews.png", ())
    assert figures[0].texts[0].get_text() == "truth meningioma,\nguess pituitary 0.83"


def test_air_around_the_head_is_cut_off(figures):
    image = np.zeros((100, 100))
    image[40:60, 20:80] = 1 + np.random.default_rng(0).random((20, 60))
    draw_previews([Preview(image, "")], "previews.png", ())
    assert figures[0].axes[0].images[0].get_array().shape == (28, 68)  # and 4 voxels at each side


def test_the_picture_is_a_png(tmp_path):
    draw_previews([segmented(3)] * 5, tmp_path / "panels" / "epoch_000.png", CLASSES)
    assert Image.open(tmp_path / "panels" / "epoch_000.png").format == "PNG"


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no preview"):
        draw_previews([], "previews.png", CLASSES)
