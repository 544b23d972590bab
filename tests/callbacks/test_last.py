import os
import signal

import pytest
import pytorch_lightning as pl
import torch

from brainseg.callbacks import Progress


class Stop(pl.Callback):
    """Stops the run by `how` in the third batch of epoch 1."""

    def __init__(self, how):
        self.how = how

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 2:
            self.how()


def sigterm():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers():
    """Lightning ignores Ctrl+C from the first one on; other tests want it back."""
    kept = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    yield
    for which, handler in kept.items():
        signal.signal(which, handler)


def test_a_stopped_run_saves_its_state_after_the_batch(tmp_path, tiny, batches, make_trainer, caplog):
    with pytest.raises(SystemExit):
        make_trainer(Stop(sigterm)).fit(tiny, batches, batches)

    # An epoch has four batches, and the third one of the second epoch was in hand.
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 7
    assert "stopped in epoch 1 after 7 steps" in caplog.text


def test_within_an_epoch_the_state_is_saved_by_the_clock(tmp_path, tiny, batches, make_trainer):
    def fault():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        make_trainer(Stop(fault), minutes=0).fit(tiny, batches, batches)
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 6


def test_a_stop_among_gradients_that_wait_for_more_leaves_the_checkpoint_before(
    tmp_path, tiny, batches, make_trainer
):
    with pytest.raises(SystemExit):
        make_trainer(Stop(sigterm), accumulate_grad_batches=2).fit(tiny, batches, batches)
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 2  # of the first epoch's four batches


def test_what_was_saved_can_be_resumed(tmp_path, tiny, batches, make_trainer, capsys):
    with pytest.raises(SystemExit):
        make_trainer(Stop(sigterm)).fit(tiny, batches, batches)
    trainer = make_trainer(Progress())
    trainer.fit(tiny, batches, batches, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert trainer.global_step == 12  # three epochs of four batches, as without the stop
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 1/")]
    seconds = float(said[0].split("  ")[-1].split(" s,")[0])
    assert seconds < 60  # since the run went on, not since the machine was started


def test_a_run_stopped_before_its_first_step_has_nothing_to_resume(
    tmp_path, tiny, batches, make_trainer, caplog
):
    class AtOnce(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            sigterm()

    with pytest.raises(SystemExit):
        make_trainer(AtOnce()).fit(tiny, batches, batches)
    assert "stopped before the first checkpoint" in caplog.text
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_an_error_of_the_program_is_no_interruption(tmp_path, tiny, batches, make_trainer, caplog):
    def fault():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        make_trainer(Stop(fault)).fit(tiny, batches, batches)
    assert "resume=" not in caplog.text
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 4  # still that of epoch 0
