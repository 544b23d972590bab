"""A run that is resumed ends as one that was never stopped, in every bit and every row."""

import subprocess
import sys

import pytest
import torch
import yaml

from brainseg.config import ConfigError
from brainseg.config.errors import CheckpointError, DataError
from brainseg.phantom import write_cohort
from brainseg.runs.lock import only_training_in
from brainseg.runs.position import Position, position_in
from brainseg.training.command_line import resumed_arguments
from brainseg.training.resume import resumed_run

MEAN = "segmenter.ema=0.8"
STOPS = {
    "SIGTERM between two batches": ("term", 1, 3),
    "SIGTERM in the last batch of an epoch": ("term", 0, 5),
    "SIGTERM while an epoch is validated": ("term", 1, None),
    "SIGTERM in the last validation": ("term", 2, None),
    "killed between two batches": ("kill", 1, 3),
    "killed while an epoch is validated": ("kill", 1, None),
}


WITH_WORKERS = (
    "SIGTERM between two batches",
    "SIGTERM while an epoch is validated",
    "killed between two batches",
)


@pytest.mark.parametrize(
    ("stop", "workers"), [*((stop, 0) for stop in STOPS), *((stop, 2) for stop in WITH_WORKERS)]
)
def test_a_stopped_run_goes_on_as_if_it_had_never_been_stopped(
    runs, straight, stop_at, differing, stopped, stop, workers, request
):
    folder = f"stopped_{request.node.callspec.id}"
    settings = (MEAN, f"data.workers={workers}", "trainer.checkpoint_minutes=0")
    expected = straight(MEAN)
    stop_at(*STOPS[stop])
    with pytest.raises(stopped):
        runs.train(folder, *settings)
    runs.train(folder, *settings, f"resume={runs.last(folder)}")
    assert not differing(expected, runs.end(folder))


def test_the_best_score_is_remembered_where_the_run_s_folder_was_moved(runs, straight, differing):
    falling = ("segmenter.monitor=val/loss", "segmenter.monitor_mode=max")  # so that epoch 0 stays the best
    expected = straight(*falling)
    runs.train("moving", *falling, "trainer.max_epochs=2")
    (runs.root / "moving").rename(runs.root / "moved")
    runs.train("moved", *falling, f"resume={runs.last('moved')}")
    assert expected["best.ckpt"]["step"][0] == 0
    assert not differing(expected, runs.end("moved"))


def test_a_best_checkpoint_that_is_gone_does_not_count(runs, caplog):
    runs.train("lonely", "trainer.max_epochs=1")
    runs.last("lonely").with_name("best.ckpt").unlink()
    runs.train("lonely", f"resume={runs.last('lonely')}")
    assert "best.ckpt is not there, so the best score so far" in caplog.text
    assert runs.last("lonely").with_name("best.ckpt").is_file()


def test_a_run_killed_before_it_learnt_from_its_validation_part_does_so_when_resumed(
    runs, straight, differing, monkeypatch, stopped
):
    def killed(*_arguments):
        raise stopped[0]

    expected = straight()
    monkeypatch.setattr("brainseg.training.train.store_fitted", killed)
    with pytest.raises(stopped):
        runs.train("unfitted")
    monkeypatch.undo()
    runs.train("unfitted", f"resume={runs.last('unfitted')}")
    assert set(expected["last.ckpt"]["fitted"]) >= {"temperatures", "cleaning"}
    assert not differing(expected, runs.end("unfitted"))


@pytest.fixture(scope="module")
def finished(runs):
    """The last checkpoint of a run of three epochs on one_cycle."""
    runs.train("finished")
    return runs.last("finished")


@pytest.mark.parametrize("scheduler", ["one_cycle", "cosine", "poly"])
def test_a_schedule_laid_out_for_three_epochs_is_not_stretched(runs, scheduler):
    settings = (f"segmenter.scheduler={scheduler}", "trainer.limit_train_batches=1")
    runs.train(f"short_{scheduler}", *settings)
    resume = f"resume={runs.last(f'short_{scheduler}')}"
    message = (
        rf"scheduler={scheduler} was laid out for 3 epochs and cannot go on to 4; leave segmenter\.epochs=4"
    )
    with pytest.raises(ConfigError, match=message):
        runs.train(f"short_{scheduler}", *settings, resume, "segmenter.epochs=4")


def test_a_schedule_without_an_end_goes_on_for_more_epochs(runs, straight, differing):
    constant = "segmenter.scheduler=constant"
    expected = straight(constant, "segmenter.epochs=4")
    runs.train("longer", constant)
    runs.train("longer", constant, "segmenter.epochs=4", f"resume={runs.last('longer')}")
    assert not differing(expected, runs.end("longer"))


def test_other_steps_than_the_schedule_was_laid_out_for_are_refused(runs):
    runs.train("fewer", "trainer.max_epochs=1")
    resume = f"resume={runs.last('fewer')}"
    with pytest.raises(ConfigError, match=r"one_cycle was laid out for 18 steps, but this training has 30"):
        runs.train("fewer", resume, "trainer.max_epochs=5")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("segmenter.loss=dice", "segmenter.loss=dice_ce, not dice"),
        ("menu.optimizer.adamw.lr=0.5", "optimizer.lr=0.001, not 0.5"),
        ("segmenter.patch=[8,8,8]", r"segmenter.patch=\[16, 16, 16\], not \[8, 8, 8\]"),
        ("segmenter.preprocess.spacing_mm=[9,8,8]", r"spacing_mm=\[8.0, 8.0, 8.0\], not \[9.0, 8.0, 8.0\]"),
        ("segmenter.preprocess.modalities=[t1ce,t1,t2,flair]", r"modalities=\['t1', 't1ce', 't2', 'flair'\]"),
        ("segmenter.ema=0.5", "segmenter.ema=None, not 0.5"),
        ("segmenter.scheduler=constant", "segmenter.scheduler=one_cycle, not constant"),
        ("segmenter.batch_size=3", "segmenter.batch_size=2, not 3"),
        ("seed=5", "seed=0, not 5"),
        ("data.val_share=0.5", "data.val_share=0.25, not 0.5"),
        ("data.folds=4", "data.folds=None, not 4"),
        ("data.subjects=9", "data.subjects=8, not 9"),
        ("trainer.gradient_clip_val=1", "trainer.gradient_clip_val=None, not 1"),
        ("trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches=1, not 2"),
        ("callbacks.best.monitor=train/loss", "callbacks.best.monitor=val/dice/mean, not train/loss"),
        ("callbacks.last=null", "callbacks.last={.*}, not None"),
    ],
)
def test_a_changed_setting_is_refused_by_name(runs, finished, change, said):
    with pytest.raises(
        ConfigError, match=rf"last\.ckpt: its run has .*{said}.*; leave that out to go on, or"
    ):
        runs.train("changed", f"resume={finished}", change)


@pytest.mark.parametrize(
    "change", ["name=other", "data.workers=1", "trainer.log_every_n_steps=7", "start_from=elsewhere.ckpt"]
)
def test_a_setting_that_nothing_learnt_depends_on_may_change(runs, finished, change):
    assert resumed_run(runs.config("other", f"resume={finished}", change)).position == Position(3, 0)


def test_subjects_that_went_are_named_before_they_change_the_parts(runs, tmp_path):
    cohort = tmp_path / "cohort"
    write_cohort(cohort, layout="brats", subjects=6, seed=1, spacing_mm=8)
    settings = (f"data.root={cohort}", "trainer.max_epochs=1")
    runs.train("shrunk", *settings, real_files=True)
    gone = sorted(cohort.iterdir())[0]
    gone.rename(tmp_path / gone.name)
    with pytest.raises(DataError, match=rf"other subjects than the run learnt from: 1 gone \({gone.name}\);"):
        runs.train("shrunk", *settings, f"resume={runs.last('shrunk')}", real_files=True)


def test_time_that_was_up_is_counted_anew_and_no_batch_is_left_out(runs, straight, differing, monkeypatch):
    expected = straight()
    time_is_up = "pytorch_lightning.callbacks.Timer.on_train_batch_end"
    monkeypatch.setattr(time_is_up, lambda _, trainer, *rest: setattr(trainer, "should_stop", True))
    runs.train("timed", "trainer.max_time=00:01:00:00")
    monkeypatch.undo()
    stood = position_in(torch.load(runs.last("timed"), weights_only=True)["loops"])
    assert stood == Position(0, 1)
    runs.train("timed", "trainer.max_time=00:01:00:00", f"resume={runs.last('timed')}")
    table = expected.pop("metrics.csv").splitlines()
    found = runs.end("timed")
    rows = found.pop("metrics.csv").splitlines()
    assert [row for row in table if row not in rows] == []  # and the rows of the part of an epoch
    for end in (expected, found):
        for name in end:
            del end[name]["step"]
    assert not differing(expected, found)


def test_a_new_run_replaces_no_other_run_unless_it_is_told_to(runs):
    runs.train("taken", "trainer.limit_train_batches=1")
    before = runs.last("taken").read_bytes()
    with pytest.raises(
        ConfigError, match=r"taken holds a run already; go on with it by resume=.*overwrite=true"
    ):
        runs.train("taken", "seed=7")
    assert runs.last("taken").read_bytes() == before
    runs.train("taken", "seed=7", "trainer.limit_train_batches=1", "overwrite=true")
    assert runs.last("taken").read_bytes() != before


def test_two_processes_never_train_in_one_folder(tmp_path):
    hold = f"from brainseg.runs.lock import *; l = only_training_in(Path({str(tmp_path)!r})); l.__enter__()"
    with subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            ConfigError, match=rf"process {other.pid} on .* trains there already; wait for it"
        ):
            only_training_in(tmp_path).__enter__()
        other.kill()
    with only_training_in(tmp_path):  # a killed one holds nothing
        pass
    assert not list(tmp_path.iterdir())


def test_a_run_may_keep_neither_its_best_nor_its_last_checkpoint(runs):
    runs.train("bare", "callbacks.best=null", "callbacks.last=null", "trainer.limit_train_batches=1")
    assert (runs.root / "bare" / "metrics.csv").is_file()
    assert not runs.last("bare").exists()  # Lightning keeps one of its own


def recorded(folder, *overrides, checkpoint=True):
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    if checkpoint:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "last.ckpt").touch()
    return folder


def test_a_run_brings_its_whole_command_line_along_and_what_is_given_goes_over_it(tmp_path):
    run = recorded(tmp_path / "it's a run", "model=segmenter", "data=phantom", "segmenter.patch=[16,16,16]")
    given = [f"resume='{str(run).replace(chr(39), chr(92) + chr(39))}'", "data.workers=2", "data=phantom"]
    quoted = str(run).replace("'", r"\'")
    assert resumed_arguments(given) == [
        "model=segmenter",
        "segmenter.patch=[16,16,16]",
        "data.workers=2",
        "data=phantom",
        f"resume='{quoted}/checkpoints/last.ckpt'",
        f"hydra.run.dir='{quoted}'",
        "hydra.output_subdir=null",
        "hydra.mode='RUN'",
    ]


def test_a_key_that_a_run_added_may_stand_in_conf_by_now(tmp_path, composed):
    run = recorded(tmp_path / "run", "+menu.optimizer.sgd.momentum=0.9", "++menu.loss.dice_focal.gamma=3")
    brought = resumed_arguments([f"resume={run}"])[:2]
    assert brought == ["++menu.optimizer.sgd.momentum=0.9", "++menu.loss.dice_focal.gamma=3"]
    assert composed(*brought).menu.optimizer.sgd.momentum == 0.9


def test_relative_paths_of_a_run_are_meant_from_where_it_was_begun(tmp_path):
    run = recorded(tmp_path / "run", "model=segmenter", "data.root=coh ort", "name=x")
    (run / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {cwd: /begun/here}}")
    assert resumed_arguments([f"resume={run}"])[:3] == [
        "model=segmenter",
        "data.root='/begun/here/coh ort'",
        "name=x",
    ]


def test_a_run_s_checkpoint_stands_for_the_run(tmp_path):
    run = recorded(tmp_path / "run", "model=segmenter")
    by_file = resumed_arguments([f"resume={run / 'checkpoints' / 'last.ckpt'}"])
    assert by_file == resumed_arguments([f"resume={run}"])


@pytest.mark.parametrize("arguments", [["model=segmenter", "trainer=smoke"], ["resume=null"], ["--help"]])
def test_a_command_line_that_resumes_nothing_stays_as_it_is(arguments):
    assert resumed_arguments(arguments) == arguments


def test_a_checkpoint_that_lies_in_no_run_goes_on_with_what_is_given(tmp_path):
    (tmp_path / "last.ckpt").touch()
    given = ["model=segmenter", f"resume={tmp_path / 'last.ckpt'}"]
    assert resumed_arguments(given) == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["-m"], "goes on with one run; leave out -m"),
        (["model=skullstripper"], "is a run of model=segmenter, not skullstripper"),
    ],
)
def test_what_cannot_be_resumed_is_said(tmp_path, given, message):
    run = recorded(tmp_path / "run", "model=segmenter")
    with pytest.raises(ConfigError, match=message):
        resumed_arguments([f"resume={run}", *given])


def test_a_folder_that_is_no_run_or_has_no_checkpoint_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"is no run's folder"):
        resumed_arguments([f"resume={tmp_path}"])
    run = recorded(tmp_path / "run", checkpoint=False)
    with pytest.raises(CheckpointError, match=r"stopped before its first one, so begin it anew"):
        resumed_arguments([f"resume={run}"])


def test_a_run_whose_split_parted_the_visits_of_a_patient_keeps_it(runs, tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    write_cohort(cohort, layout="brats", subjects=4, seed=1, spacing_mm=8)
    for number, folder in enumerate(sorted(cohort.iterdir())):
        name = f"p{number // 2}_week-{number % 2}"
        for path in folder.iterdir():
            path.rename(path.with_name(path.name.replace(folder.name, name)))
        folder.rename(cohort / name)
    settings = (f"data.root={cohort}", "segmenter.scheduler=constant", "trainer.limit_train_batches=1")
    by_scan = "brainseg.data.volumes.patients_of"
    monkeypatch.setattr(by_scan, lambda own, table: {name: name for name in own})
    runs.train("parted", *settings, "segmenter.epochs=1", real_files=True)
    monkeypatch.undo()
    split = (runs.root / "parted" / "split.json").read_text()
    runs.train("parted", *settings, f"resume={runs.last('parted')}", "segmenter.epochs=2", real_files=True)
    assert (runs.root / "parted" / "split.json").read_text() == split
    runs.train("anew", *settings, "segmenter.epochs=1", real_files=True)
    assert (runs.root / "anew" / "split.json").read_text() != split
