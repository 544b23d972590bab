import numpy as np
from PIL import Image

from brainseg.reporting import vote as module
from brainseg.reporting.vote import draw_vote
from brainseg.results.parts import SliceVote

VOTES = [
    SliceVote(plane, offset, 0, {"glioma": 0.75, "notumor": 0.25})
    for plane in ("sagittal", "coronal", "axial")
    for offset in (0.0, 5.0, -5.0)
]


def test_each_slice_is_a_bar_in_the_order_along_its_axis(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, "save", lambda figure, png, dpi: figures.append(figure))
    image, heat = np.zeros((8, 8), np.uint8), np.eye(8, dtype=np.float32)
    draw_vote(VOTES, 4, image, heat, image, "title", "note", tmp_path / "v.png")
    shown, sagittal, coronal, axial = figures[0].axes
    assert shown.get_title() == "loudest: coronal +5 mm, Grad-CAM of the verdict"
    assert [tick.get_text() for tick in sagittal.get_xticklabels()] == ["-5", "0", "+5"]
    heights = [bar.get_height() for bar in axial.patches]
    assert heights == [0.75, 0.25] * 3
    assert len(coronal.patches) == 7  # the loudest has a frame


def test_a_picture_without_heat_and_tumor_says_so(tmp_path):
    draw_vote(VOTES, 0, np.zeros((8, 8), np.uint8), None, None, "title", "note", tmp_path / "v.png")
    assert Image.open(tmp_path / "v.png").size[0] > 1000
