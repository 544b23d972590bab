import os
import signal

import pytest
import pytorch_lightning as pl
import torch

from brainseg.callbacks import Interruption, Progress


class Stop(pl.Callback):
    """Stops the run by `how` in the third batch of epoch 1."""

    def __init__(self, how):
        self.how = how

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 2:
            self.how()


def ctrl_c():
    raise KeyboardInterrupt


def sigterm():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers():
    """Lightning ignores Ctrl+C from the first one on; other tests want it back."""
    kept = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    yield
    for which, handler in kept.items():
        signal.signal(which, handler)


# Ctrl+C stops before the third batch, SIGTERM is heeded after it. An epoch has four batches.
@pytest.mark.parametrize(("how", "steps"), [(ctrl_c, 6), (sigterm, 7)])
def test_a_stopped_run_saves_its_state_and_says_how_to_go_on(
    tmp_path, tiny, batches, make_trainer, caplog, how, steps
):
    with pytest.raises(SystemExit):
        make_trainer(Stop(how), Interruption()).fit(tiny, batches, batches)

    last = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == steps
    assert (
        f"stopped in epoch 1 after {steps} steps; go on with the same command and resume={last}"
        in caplog.text
    )


def test_what_was_saved_can_be_resumed(tmp_path, tiny, batches, make_trainer, capsys):
    with pytest.raises(SystemExit):
        make_trainer(Stop(ctrl_c), Interruption()).fit(tiny, batches, batches)
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
            raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        make_trainer(AtOnce(), Interruption()).fit(tiny, batches, batches)
    assert "stopped before the first checkpoint" in caplog.text
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_an_error_of_the_program_is_no_interruption(tmp_path, tiny, batches, make_trainer, caplog):
    def fault():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        make_trainer(Stop(fault), Interruption()).fit(tiny, batches, batches)
    assert "resume=" not in caplog.text
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 4  # still that of epoch 0
