import numpy as np
from PIL import Image

from brainseg.reporting import confusion as module
from brainseg.reporting.confusion import draw_confusion, row_shares


def test_shares_are_of_the_true_class_and_an_empty_class_has_none():
    shares = row_shares(np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0, 0]])


def test_cells_have_truth_down_and_guess_across(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, "save", lambda figure, png: figures.append(figure))
    draw_confusion([[6, 2], [0, 8]], ["glioma", "notumor"], tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells[1, 0] == "2\n25%"  # second column, first row: two gliomas taken for healthy
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("guess", "truth")
    assert axes.get_title() == "14 of 16 right (87.5%)"


def test_an_empty_matrix_makes_a_picture(tmp_path):
    draw_confusion(np.zeros((4, 4)), list("abcd"), tmp_path / "confusion.png")
    assert Image.open(tmp_path / "confusion.png").format == "PNG"
