import csv

import numpy as np
import pytest
from PIL import Image

from brainseg.callbacks import Panels
from brainseg.callbacks import panels as module
from brainseg.callbacks.chosen_cases import ChosenCases
from brainseg.callbacks.loggers import Wandb
from brainseg.tasks.preview import Preview, ScoredCase


def case(index, score, group=""):
    preview = Preview(np.zeros((4, 4)), str(index))
    return ScoredCase(index, group, score, {"score": score}, lambda: preview)


def chosen(n, *cases):
    choice = ChosenCases(n)
    for one in cases:
        choice.offer(one)
    return [one.case.index for one in choice.shown()]


def test_panels_are_written_every_n_epochs(tmp_path, tiny, batches, make_trainer):
    make_trainer(Panels(tmp_path / "panels", every_n_epochs=2, samples=3)).fit(tiny, batches, batches)
    names = ["epoch_000.csv", "epoch_000.png", "epoch_002.csv", "epoch_002.png"]
    assert sorted(p.name for p in (tmp_path / "panels").iterdir()) == names


def test_the_worst_and_the_best_of_all_cases_are_drawn_with_their_names(
    tmp_path, tiny, batches, make_trainer, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        module, "draw_previews", lambda previews, png, classes: drawn.append((previews, classes))
    )
    names = [f"sub-{i}" for i in range(8)]
    monkeypatch.setattr(module, "_names", lambda trainer: names)
    make_trainer(Panels(tmp_path, every_n_epochs=1, samples=3), epochs=1).fit(tiny, batches, batches)

    [(previews, classes)] = drawn
    assert [p.caption for p in previews] == ["sub-1, Dice 0.10", "sub-5, Dice 0.20", "sub-2, Dice 0.90"]
    assert classes == ("background", "necrotic_core", "edema")
    rows = list(csv.reader((tmp_path / "epoch_000.csv").open()))
    assert rows[:3] == [["case", "dice/mean"], ["sub-1", "0.1"], ["sub-5", "0.2"]]
    assert len(rows) == 1 + 8


def test_choices_are_even_over_the_classes():
    sure = [case(i, 0.5 + i / 100, "glioma") for i in range(20)]
    odd = [case(20 + i, 0.9 + i / 100, "notumor") for i in range(3)]
    assert chosen(4, *sure, *odd) == [0, 20, 19, 22]
    assert chosen(6, *odd) == [20, 21, 22]  # each once, where there are few


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_does_not_depend_on_the_order(seed):
    order = np.random.default_rng(seed).permutation(50)
    assert chosen(6, *(case(int(i), i / 50) for i in order)) == [0, 1, 2, 47, 48, 49]


def test_a_broken_preview_stops_no_training(tmp_path, tiny, batches, make_trainer, monkeypatch, caplog):
    monkeypatch.setattr(type(tiny), "show", lambda self, index, score: 1 / 0)
    trainer = make_trainer(Panels(tmp_path / "panels", every_n_epochs=1, samples=6))
    trainer.fit(tiny, batches, batches)
    assert trainer.current_epoch == 3
    assert caplog.text.count("panels could not be drawn") == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.usefixtures("offline")
def test_panels_and_cases_reach_an_offline_wandb_run(
    tmp_path, tiny, batches, make_trainer, shown, capfd, monkeypatch
):
    monkeypatch.delenv("WANDB_SILENT")  # so that it warns
    logger = Wandb(project="brainseg-test", save_dir=tmp_path)
    trainer = make_trainer(Panels(tmp_path / "panels", every_n_epochs=1, samples=2), epochs=1, logger=logger)
    trainer.fit(tiny, batches, batches)
    logger.close(failed=False)
    assert "sizes do not match" not in capfd.readouterr().err

    [run] = shown(tmp_path)
    [panels] = run.curve("panels")
    assert panels["captions"] == ["case 1, Dice 0.10", "case 2, Dice 0.90"]
    assert (panels["width"], panels["height"], panels["count"]) == (16, 18, 2)  # of the larger one
    media = next((tmp_path / "wandb").glob("offline-run-*")) / "files" / "media" / "images"
    assert {Image.open(p).size for p in media.glob("panels_*.png")} == {(16, 18)}
    masks = list(media.rglob("*.mask.png"))
    assert len(masks) == 3  # the guesses of both cases, and the truth, which they share
    assert {Image.open(p).convert("L").getextrema() for p in masks} == {(0, 2)}  # classes, not colours
    [cases] = run.curve("cases")
    assert (cases["ncols"], cases["nrows"]) == (2, 8)
