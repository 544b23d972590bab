"""Threads, precision and layout of a training: chosen once, recorded, and kept by a run that goes on."""

import os

import pytest
import torch

from brainseg.checkpoint import read_checkpoint
from brainseg.config import chosen, plain, register_schemas
from brainseg.data import composed_data
from brainseg.data.handover import CPU as ON_CPU
from brainseg.runs.config import LAST
from brainseg.tasks import TASKS
from brainseg.trained.computing import Computing
from brainseg.training import computing, cores
from brainseg.training.computing import computing_of, steps_of
from brainseg.training.cores import cores_shared_out, processes_on_machine
from brainseg.training.train import train

CPU = torch.device("cpu")
FOUND = Computing("float32", "contiguous")


@pytest.fixture
def made(composed, tiny):
    """A config with its model and its data, for so many epochs of the tiny task."""
    register_schemas()

    def _made(task, *overrides):
        cfg = composed(*tiny(task), "trainer.max_epochs=500", "trainer.limit_train_batches=null", *overrides)
        module = TASKS[task](config=plain(cfg[task]), loss=chosen(cfg, "loss"))
        data = composed_data(cfg)
        data.handover = ON_CPU
        data.prepare_data()
        data.setup("fit")
        return cfg, module, data

    return _made


@pytest.fixture
def timed(monkeypatch):
    """Every timing finds `FOUND`; how often one was asked for."""
    asked = []

    def find(module, data, batch_size, device):
        asked.append(module)
        return FOUND, {FOUND: 0.01, Computing("bf16", "channels_last"): 0.02}

    monkeypatch.setattr(computing, "time_ways", find)
    monkeypatch.setattr(computing, "precision_for", lambda device: "bf16-mixed")
    return asked


def test_a_long_training_is_timed_once_and_its_choice_remembered(made, timed, capsys):
    given = made("segmenter")
    assert computing_of(*given, None) == FOUND
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "float32, contiguous: 10 ms a step, where bf16, channels last takes 20; trainer.precision=" in said
    assert computing_of(*given, None) == FOUND
    assert len(timed) == 1
    assert capsys.readouterr().out == ""


def test_a_short_training_is_as_usual(made, timed):
    given = made("segmenter", "trainer.max_epochs=2")
    assert computing_of(*given, None) == Computing("bf16", "channels_last")
    assert not timed


@pytest.mark.parametrize(
    ("precision", "way"), [("32-true", "float32"), ("bf16-mixed", "bf16"), ("64-true", "64-true")]
)
def test_what_is_asked_for_is_not_timed(made, timed, precision, way):
    given = made("segmenter", f"trainer.precision={precision}")
    assert computing_of(*given, None) == Computing(way, "channels_last")
    assert computing.lightning_name(way) == precision
    assert not timed


def test_a_run_that_goes_on_computes_as_it_did(made, timed, monkeypatch, caplog):
    given = made("segmenter")
    monkeypatch.setattr(computing, "bf16_is_fast", lambda device: True)
    before = {"precision": "bf16", "layout": "contiguous", "threads": 1}
    assert computing_of(*given, before) == Computing("bf16", "contiguous")
    assert computing_of(*given, {}) == Computing("bf16", "channels_last")  # it is older than the record
    monkeypatch.setattr(computing, "bf16_is_fast", lambda device: False)
    monkeypatch.setattr(computing, "precision_for", lambda device: "32-true")
    assert computing_of(*given, before).precision == "float32"
    assert "goes on in float32; trainer.precision=bf16-mixed keeps it" in caplog.text
    assert not timed


def test_processes_that_cannot_tell_each_other_compute_as_usual(made, timed, tmp_path):
    (tmp_path / "file").write_text("")
    cfg, *given = made("segmenter")
    cfg.paths.cache = f"{tmp_path}/file"
    assert computing_of(cfg, *given, None) == FOUND
    cfg.trainer.devices = 2
    assert computing_of(cfg, *given, None) == Computing("bf16", "channels_last")


@pytest.mark.parametrize("task", TASKS)
def test_timing_changes_neither_weights_nor_random_numbers(made, task):
    cfg, module, data = made(task)
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    way, seconds = computing.time_ways(module, data, cfg[task].batch_size, CPU)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())
    assert way in seconds
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_network_of_cubes_that_halves_them_at_each_level_is_timed(made):
    deep = [f"volume_classifier.{one}" for one in ("channels=[4,8,8,8]", "side=64", "batch_size=2")]
    cfg, module, data = made("volume_classifier", *deep)
    way, seconds = computing.time_ways(module, data, cfg.volume_classifier.batch_size, CPU)
    assert way in seconds


def test_steps_are_those_of_all_epochs_within_the_limits(made):
    cfg, _, data = made("segmenter", "segmenter.batch_size=2")
    n = -(-len(data.train_samples()) // 2)
    assert steps_of(cfg, data) == 500 * n
    cfg.trainer.limit_train_batches = 1
    assert steps_of(cfg, data) == 500
    cfg.trainer.max_epochs = -1
    assert steps_of(cfg, data) == float("inf")


def test_the_choice_is_in_the_checkpoint_and_the_first_lines(composed, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "own_cores", lambda processes: 4)
    train(composed(*tiny("segmenter"), "trainer.precision=32-true", "test=false"))
    run = read_checkpoint(tmp_path / LAST)["brainseg"]["run"]
    assert run["computed"] == {"threads": 4, "precision": "float32", "layout": "channels_last"}
    assert "(cpu, 32-true; threads: 4, loaders: 0)" in capsys.readouterr().out
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("settings", "environment", "before", "threads"),
    [
        ((), None, {}, 6),  # of eight cores
        (("data.workers=3",), None, {}, 5),
        (("trainer.devices=4",), None, {}, 1),
        (("trainer.threads=7",), "2", {}, 7),
        ((), "2", {}, 2),
        ((), None, {"threads": 3}, 3),
        ((), None, {"threads": 12}, 6),  # it comes from a larger machine
        (("trainer.threads=7",), None, {"threads": 3}, 7),
    ],
)
def test_threads_of_a_training(composed, monkeypatch, settings, environment, before, threads):
    monkeypatch.setattr("brainseg.system.device.threads", lambda: 8)
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if environment:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    cfg = composed("model=segmenter", "data=phantom", "trainer=cpu", *settings)
    with cores_shared_out(cfg, before):
        assert torch.get_num_threads() == threads
        assert os.environ["OMP_NUM_THREADS"] == str(threads)  # Lightning's further processes do so too


@pytest.mark.parametrize(
    ("devices", "strategy", "processes"),
    [
        ("1", "auto", 1),
        ("3", "ddp", 3),
        ("[0,2]", "ddp", 2),
        ("auto", "ddp", 1),
        ("'2'", "ddp", 2),
        ("'0,3'", "ddp", 2),
    ],
)
def test_processes_of_a_training_are_known_before_they_meet(
    composed, monkeypatch, devices, strategy, processes
):
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    cfg = composed(
        "model=segmenter", "trainer=cpu", f"trainer.devices={devices}", f"trainer.strategy={strategy}"
    )
    assert processes_on_machine(cfg) == processes
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "5")
    assert processes_on_machine(cfg) == 5
