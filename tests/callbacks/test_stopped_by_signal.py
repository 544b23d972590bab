"""A training that a signal stops: the batch is finished, its state saved, and the exit code the signal's."""

import os
import signal

import pytest
import pytorch_lightning as pl

from brainseg.system.signals import stoppable

SAYS = {signal.SIGINT: "Ctrl+C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


def ended(act):
    """The exit code of `act`, run guarded, and whether what comes after it would have begun."""
    when = "before the end"
    try:
        with stoppable():
            act()
            when = "after it"
    except SystemExit as stop:
        return stop.code, when
    return 0, when


class Sent(pl.Callback):
    """Sends a signal to this process at the given hook, in epoch 1."""

    def __init__(self, hook, number):
        setattr(self, hook, lambda trainer, *_: trainer.current_epoch == 1 and signal.raise_signal(number))


@pytest.mark.parametrize("number", list(SAYS))
@pytest.mark.parametrize(("hook", "steps"), [("on_train_batch_start", 5), ("on_validation_batch_start", 8)])
def test_a_training_is_stopped_after_its_batch_saved_and_ends_with_the_signals_code(
    tmp_path, tiny, batches, make_trainer, caplog, capfd, number, hook, steps
):
    with pytest.raises(SystemExit) as stopped, stoppable():
        make_trainer(Sent(hook, number)).fit(tiny, batches, batches)
    assert stopped.value.code == 128 + number
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()
    assert f"stopped in epoch 1 after {steps} steps" in caplog.text
    said = [line for line in capfd.readouterr().err.splitlines() if SAYS[number] in line]
    assert len(said) == 1
    assert said[0].endswith("stopping after this batch; Ctrl+C ends at once")


def test_a_signal_after_the_last_batch_is_heeded_too(tiny, batches, make_trainer):
    late = pl.Callback()
    late.on_train_end = lambda *_: signal.raise_signal(signal.SIGTERM)
    trainer = make_trainer(late, epochs=1)
    assert ended(lambda: trainer.fit(tiny, batches, batches)) == (143, "before the end")


def test_a_signal_in_the_last_batch_of_the_test_is_heeded_too(tiny, batches, make_trainer):
    class InTest(pl.Callback):
        def on_test_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
            if batch_idx == 3:
                os.kill(os.getpid(), signal.SIGINT)

    trainer = make_trainer(InTest())
    assert ended(lambda: trainer.test(tiny, batches, verbose=False)) == (130, "before the end")
