import pytest
from PIL import Image

from brainseg.callbacks import Panels
from brainseg.callbacks import panels as module


def test_panels_are_written_every_n_epochs(tmp_path, tiny, batches, make_trainer):
    make_trainer(Panels(tmp_path / "panels", every_n_epochs=2, samples=3)).fit(tiny, batches, batches)
    assert sorted(p.name for p in (tmp_path / "panels").iterdir()) == ["epoch_000.png", "epoch_002.png"]


def test_samples_are_gathered_over_as_many_batches_as_it_takes(
    tmp_path, tiny, batches, make_trainer, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        module, "draw_previews", lambda previews, png, classes: drawn.append((previews, classes))
    )
    make_trainer(Panels(tmp_path, every_n_epochs=1, samples=3), epochs=1).fit(tiny, batches, batches)

    [(previews, classes)] = drawn
    assert [p.caption for p in previews] == ["case 0", "case 1", "case 0"]  # batches of two
    assert classes == ("background", "necrotic_core", "edema")


def test_a_broken_preview_stops_no_training(tmp_path, tiny, batches, make_trainer, monkeypatch, caplog):
    monkeypatch.setattr(type(tiny), "previews", lambda self, batch: 1 / 0)
    trainer = make_trainer(Panels(tmp_path / "panels", every_n_epochs=1, samples=6))
    trainer.fit(tiny, batches, batches)
    assert trainer.current_epoch == 3
    assert caplog.text.count("panels could not be drawn") == 1
    assert "ZeroDivisionError" in caplog.text


def test_panels_reach_the_folder_of_an_offline_wandb_run(tmp_path, tiny, batches, make_trainer, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from pytorch_lightning.loggers import WandbLogger

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(project="brainseg-test", save_dir=tmp_path)
    make_trainer(Panels(tmp_path / "panels", every_n_epochs=1, samples=2), epochs=1, logger=logger).fit(
        tiny, batches, batches
    )
    wandb.finish()

    run = next((tmp_path / "wandb").glob("offline-run-*"))
    media = run / "files" / "media" / "images"
    assert [Image.open(p).size for p in media.glob("panels_*.png")] == [(16, 16), (16, 16)]
    masks = list(media.rglob("*.mask.png"))
    assert len(masks) == 3  # the guesses of both cases, and the truth, which they share
    assert {Image.open(p).convert("L").getextrema() for p in masks} == {(0, 2)}  # classes, not colours


def test_wandb_masks_carry_the_names_of_the_classes(tiny):
    import torch

    [preview] = tiny.previews((torch.ones(1, 1),))
    masks = module._wandb_masks(preview, dict(enumerate(tiny.preview_classes)))
    assert set(masks) == {"truth", "guess"}
    assert masks["guess"]["class_labels"] == {0: "background", 1: "necrotic_core", 2: "edema"}
