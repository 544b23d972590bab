"""trainer.early_stopping: when a training ends, and that a stop and a resume change nothing of it."""

import pytest

from brainseg.callbacks import early_stopping
from brainseg.config import ConfigError, check
from brainseg.runs.config import LAST


def early(epochs):
    return early_stopping(epochs, "val/dice/mean", "max")


def epochs_of(trainer):
    return trainer.current_epoch


# The metric of epochs 0, 1, 2, ... is 0.2, 0.6, 0.4, and so on again: epoch 1 is the best of all.
@pytest.mark.parametrize(("patience", "trained"), [(1, 3), (3, 5), (20, 9)])
def test_a_training_ends_after_so_many_epochs_without_a_better_one(
    tiny, batches, make_trainer, capsys, patience, trained
):
    trainer = make_trainer(early(patience), epochs=9)
    trainer.fit(tiny, batches, batches)
    assert epochs_of(trainer) == trained
    said = capsys.readouterr().out
    assert (f"ended after {trained} epochs: no better val/dice/mean in {patience}" in said) == (trained < 9)


def test_epochs_are_counted_where_not_each_is_validated(tiny, batches, make_trainer):
    trainer = make_trainer(early(4), epochs=20, check_val_every_n_epoch=2)
    trainer.fit(tiny, batches, batches)
    assert epochs_of(trainer) == 6  # 0.6 in epoch 1, then 0.2 and 0.4 in epochs 3 and 5


def test_a_run_that_goes_on_ends_where_it_would_have_ended(tiny, batches, make_trainer, tmp_path):
    first = make_trainer(early(3), epochs=4)
    first.fit(tiny, batches, batches)
    on = make_trainer(early(3), epochs=9)
    on.fit(type(tiny)(), batches, batches, ckpt_path=tmp_path / LAST)
    assert epochs_of(on) == 5
    ended = make_trainer(early(3), epochs=9)
    ended.fit(type(tiny)(), batches, batches, ckpt_path=tmp_path / LAST)
    assert epochs_of(ended) == 5  # none more
    patient = make_trainer(early(6), epochs=9)
    patient.fit(type(tiny)(), batches, batches, ckpt_path=tmp_path / LAST)
    assert epochs_of(patient) == 8  # more patience was asked for


def test_a_patience_of_no_epochs_is_refused_and_none_makes_no_callback(composed):
    with pytest.raises(ConfigError, match=r"trainer\.early_stopping must be at least 1, got 0"):
        check(composed("trainer.early_stopping=0"))
    assert early_stopping(None, "val/loss", "min") is None
