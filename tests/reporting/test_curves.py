import csv

import pytest
from PIL import Image

from brainseg.config.errors import UserError
from brainseg.reporting.curves import best_epoch, draw_curves, family, read_curves

COLUMNS = [
    "epoch",
    "lr-AdamW",
    "step",
    "train/loss",
    "val/loss",
    "val/dice/mean",
    "val/hd95_mm/mean",
    "test/dice",
]


def write(path, *rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def metrics_csv(tmp_path):
    """Two epochs as Lightning logs them: learning rate, validation and training in rows of their own."""
    return write(
        tmp_path / "metrics.csv",
        {"step": 0, "lr-AdamW": 0.1},
        {"step": 3, "epoch": 0, "val/loss": 2.0, "val/dice/mean": 0.5, "val/hd95_mm/mean": "nan"},
        {"step": 3, "epoch": 0, "train/loss": 3.0},
        {"step": 4, "lr-AdamW": 0.01},
        {"step": 7, "epoch": 1, "val/loss": 2.5, "val/dice/mean": 0.7, "val/hd95_mm/mean": 8.0},
        {"step": 7, "epoch": 1, "train/loss": 1.0},
        {"step": 8, "epoch": 2, "test/dice": 0.6},
    )


def test_each_metric_has_its_points_and_no_others(metrics_csv):
    assert read_curves(metrics_csv) == {
        "train/loss": {0: 3.0, 1: 1.0},
        "val/loss": {0: 2.0, 1: 2.5},
        "val/dice/mean": {0: 0.5, 1: 0.7},
        "val/hd95_mm/mean": {1: 8.0},  # nan is a gap
        "learning_rate": {0: 0.1, 1: 0.01},  # of the next row that has an epoch
    }


def test_several_values_in_an_epoch_become_their_mean(tmp_path):
    rows = [{"epoch": 0, "step": i, "train/loss": loss} for i, loss in enumerate((1.0, 2.0, 6.0))]
    assert read_curves(write(tmp_path / "metrics.csv", *rows)) == {"train/loss": {0: 3.0}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/dice/whole_tumor", "dice"),
        ("val/accuracy", "accuracy"),
        ("train/loss", "loss"),
        ("val/loss", "loss"),
        ("learning_rate", "learning_rate"),
    ],
)
def test_metrics_of_a_family_share_an_axis(name, expected):
    assert family(name) == expected


def test_the_best_epoch_follows_the_mode_and_is_the_first_of_equals():
    curves = {"val/loss": {0: 2.0, 1: 1.0, 2: 1.0}, "val/dice/mean": {0: 0.5, 1: 0.9, 2: 0.7}}
    assert best_epoch(curves, "val/loss", "min") == 1
    assert best_epoch(curves, "val/dice/mean", "max") == 1
    assert best_epoch(curves, "val/loss", "max") == 0
    assert best_epoch(curves, "val/accuracy", "max") is None


def test_axes_are_named_and_the_best_is_told_in_the_title(metrics_csv, tmp_path, monkeypatch):
    from brainseg.reporting import curves as module

    figures = []
    monkeypatch.setattr(module, "save", lambda figure, png: figures.append(figure))
    draw_curves(metrics_csv, tmp_path / "curves.png", monitor="val/dice/mean", mode="max")
    axes = figures[0].axes
    assert [a.get_title() for a in axes] == [
        "loss",
        "dice: best 0.7 in epoch 1",
        "hd95 (mm)",
        "learning rate",
    ]
    assert {a.get_xlabel() for a in axes} == {"epoch"}
    loss = {line.get_label(): list(line.get_ydata()) for line in axes[0].lines}
    assert loss["train"] == [3.0, 1.0]
    assert loss["val"] == [2.0, 2.5]


def test_one_epoch_makes_a_picture(tmp_path):
    file = write(tmp_path / "metrics.csv", {"epoch": 0, "step": 1, "val/loss": 1.0})
    draw_curves(file, tmp_path / "run" / "curves.png")
    assert Image.open(tmp_path / "run" / "curves.png").size == (round(4.6 * 110), round(3.3 * 110))


def test_a_missing_file_names_what_would_write_it(tmp_path):
    with pytest.raises(UserError, match=r"metrics.csv is missing; train with logger=csv, which writes it"):
        read_curves(tmp_path / "metrics.csv")


def test_a_run_without_an_epoch_is_told_so(tmp_path):
    file = write(tmp_path / "metrics.csv", {"step": 0, "lr-AdamW": 0.1})
    with pytest.raises(UserError, match="no row with an epoch; the run was probably stopped"):
        draw_curves(file, tmp_path / "curves.png")
