import pytest

from brainseg.callbacks import Progress


def lines(text):
    return [line for line in text.splitlines() if line.startswith("epoch")]


def test_a_log_file_gets_one_line_an_epoch_with_the_best_so_far(tiny, batches, make_trainer, capsys):
    make_trainer(Progress()).fit(tiny, batches, batches)
    said = lines(capsys.readouterr().out)
    assert len(said) == 3
    assert said[0].startswith("epoch 0/2  loss ")
    assert "val/dice/mean 0.2000  best 0.2000 (epoch 0)" in said[0]
    assert "val/dice/mean 0.6000  best 0.6000 (epoch 1)" in said[1]
    assert "val/dice/mean 0.4000  best 0.6000 (epoch 1)" in said[2]
    assert said[2].endswith("it/s")


def test_the_loss_is_the_mean_of_the_epochs_batches(tiny, batches, make_trainer, capsys):
    # The weight goes 0, 0.2, 0.36, 0.488: the loss is the square of what is missing to 1.
    make_trainer(Progress(), epochs=1).fit(tiny, batches, batches)
    expected = (1 + 0.8**2 + 0.64**2 + 0.512**2) / 4
    assert f"loss {expected:.4f}" in capsys.readouterr().out


def test_an_epoch_without_validation_repeats_no_old_value(tiny, batches, make_trainer, capsys):
    make_trainer(Progress(), epochs=4, check_val_every_n_epoch=2).fit(tiny, batches, batches)
    first, second, third, _ = lines(capsys.readouterr().out)
    assert "val/dice/mean" not in first
    assert "val/dice/mean 0.6000" in second
    assert "val/dice/mean" not in third
    assert "best 0.6000 (epoch 1)" in third


def test_the_least_value_is_best_where_the_metric_falls(tiny, batches, make_trainer, capsys):
    tiny.config.monitor_mode = "min"
    make_trainer(Progress()).fit(tiny, batches, batches)
    assert "best 0.2000 (epoch 0)" in lines(capsys.readouterr().out)[-1]


def test_a_resumed_run_remembers_its_best(tmp_path, tiny, batches, make_trainer, capsys):
    make_trainer(Progress(), epochs=2).fit(tiny, batches, batches)
    capsys.readouterr()
    make_trainer(Progress()).fit(
        tiny, batches, batches, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True
    )
    [said] = lines(capsys.readouterr().out)
    assert said.startswith("epoch 2/2")
    assert "best 0.6000 (epoch 1)" in said


def test_a_terminal_gets_a_bar_with_nothing_but_what_matters(
    tiny, batches, make_trainer, capsys, monkeypatch
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    progress = Progress()
    make_trainer(progress, epochs=2).fit(tiny, batches, batches)
    out = capsys.readouterr().out
    assert "epoch 1/1: |" in out
    assert "it/s" in out
    assert set(progress.get_metrics(progress.trainer, tiny)) == {"loss", "val/dice/mean", "best"}
    assert not [line for line in lines(out.replace("\r", "\n")) if "|" not in line]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_never_best(tiny, batches, make_trainer, capsys, value):
    tiny.scores = (value, 0.1)
    make_trainer(Progress(), epochs=2).fit(tiny, batches, batches)
    assert "best 0.1000 (epoch 1)" in lines(capsys.readouterr().out)[-1]
