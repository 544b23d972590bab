import io

import numpy as np
import pytest
from PIL import Image

from brainseg.reporting.canvas import drawn, new_figure, save
from brainseg.reporting.png import png_of


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (200, 301, 3)])
def test_every_pixel_is_read_back_as_it_was(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(png_of(image, 120))) as read:
        read.load()
        np.testing.assert_array_equal(np.asarray(read), image)
        assert read.info["dpi"] == pytest.approx((120, 120), abs=0.1)


def test_a_figure_is_saved_with_the_pixels_that_matplotlib_would_give_it(tmp_path):
    figure = new_figure(3, 2, dark=True)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.plot([0, 1], [0, 1], color="#D98CC0")
    axes.set_title("title")
    figure.savefig(tmp_path / "theirs.png", dpi=130, facecolor=figure.get_facecolor())
    save(figure, tmp_path / "ours.png", dpi=130)
    with Image.open(tmp_path / "theirs.png") as theirs, Image.open(tmp_path / "ours.png") as ours:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs.convert("RGB")))


def test_a_figure_with_a_layout_engine_too():
    def one():
        figure = new_figure(3, 2)
        figure.set_layout_engine("constrained")
        figure.add_subplot().set_xlabel("mean")
        return figure

    theirs = io.BytesIO()
    one().savefig(theirs, format="png", dpi=110, facecolor="white")
    with Image.open(theirs) as wanted, Image.open(io.BytesIO(drawn(one()))) as ours:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(wanted.convert("RGB")))
