import logging

from pytorch_lightning.loggers import CSVLogger

from brainseg.callbacks import Curves
from brainseg.callbacks import curves as module
from brainseg.reporting.curves import read_curves


def test_curves_are_drawn_after_each_validation_and_at_the_end(
    tmp_path, tiny, batches, make_trainer, monkeypatch
):
    seen = []
    monkeypatch.setattr(module, "draw_curves", lambda csv, png, **kw: seen.append((read_curves(csv), kw)))
    make_trainer(Curves(tmp_path / "curves.png")).fit(tiny, batches, batches)

    drawn, kw = zip(*seen, strict=True)
    assert [len(curves["val/dice/mean"]) for curves in drawn] == [1, 2, 3, 3]
    assert list(drawn[-1]["train/loss"]) == [0, 1, 2]  # the last epoch's is there at the end
    assert kw[0] == {"monitor": "val/dice/mean", "mode": "max"}


def test_the_picture_is_there_after_one_epoch(tmp_path, tiny, batches, make_trainer):
    make_trainer(Curves(tmp_path / "curves.png"), epochs=1).fit(tiny, batches, batches)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_failure_to_draw_is_warned_about_once_and_training_goes_on(
    tmp_path, tiny, batches, make_trainer, monkeypatch, caplog
):
    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(module, "draw_curves", broken)
    trainer = make_trainer(Curves(tmp_path / "curves.png"))
    with caplog.at_level(logging.WARNING, "brainseg"):
        trainer.fit(tiny, batches, batches)

    assert trainer.current_epoch == 3
    said = [r.getMessage() for r in caplog.records if "could not be drawn" in r.getMessage()]
    assert said == ["curves.png could not be drawn, training goes on without: OSError: disk full"]


def test_a_run_without_a_csv_is_told_why_there_are_no_curves(tmp_path, tiny, batches, make_trainer, caplog):
    class NoCsv(CSVLogger.__mro__[1]):
        name, version = "none", 0

        def log_metrics(self, metrics, step=None): ...
        def log_hyperparams(self, params): ...

    make_trainer(Curves(tmp_path / "curves.png"), epochs=1, logger=NoCsv()).fit(tiny, batches, batches)
    assert "the run has no CSVLogger" in caplog.text
    assert not (tmp_path / "curves.png").exists()
