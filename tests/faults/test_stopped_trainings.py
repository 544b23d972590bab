"""Trainings on phantoms, in processes of their own, stopped as a shell, Slurm or a person stops them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    """A segmenter on eight coarse heads, with an epoch of less than a second."""
    data = tmp_path_factory.mktemp("data")
    return [
        *("model=segmenter", "data=phantom", "data.subjects=8", "data.spacing_mm=5", "data.workers=0"),
        *("segmenter.preprocess.spacing_mm=[5,5,5]", "segmenter.patch=[16,16,16]", "segmenter.epochs=400"),
        *("segmenter.net=unet", "segmenter.channels=[4,8,16]"),
        *("trainer.accelerator=cpu", f"paths.data={data}"),
    ]


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class Training:
    """A command in a group of its own, as a shell starts it, and every process that came of it."""

    def __init__(self, command, cwd):
        self.log = cwd / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=environment(), stdout=log, stderr=log, start_new_session=True
            )
        self.all = [psutil.Process(self.process.pid)]

    def until(self, words):
        """Wait until it has said so."""
        end = time.monotonic() + 120
        while words not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        self.all = [self.all[0], *self.all[0].children(recursive=True)]

    def ended(self, seconds=15):
        """The exit code, once no process is left."""
        code = self.process.wait(timeout=seconds)
        _, alive = psutil.wait_procs(self.all, timeout=seconds)
        assert alive == []
        return code

    def said(self):
        return self.log.read_text()


@contextmanager
def begun(command, cwd):
    training = Training(command, cwd)
    try:
        yield training
    finally:
        for process in training.all:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        training.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_training_with_workers_saves_it(tmp_path, segmenter, number):
    with begun([sys.executable, f"{ROOT}/train.py", *segmenter, "data.workers=2"], tmp_path) as training:
        training.until("epoch 0/399")
        assert len(training.all) > 2  # the workers too
        os.killpg(training.process.pid, number)
        assert training.ended() == 128 + number
    (last,) = tmp_path.rglob("last.ckpt")
    assert f"go on with python train.py resume={last.parent.parent.relative_to(tmp_path)}" in training.said()
    assert "Traceback" not in training.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_whole_sweep(tmp_path, segmenter, number):
    sweep = ["-m", *segmenter, "seed=1,2,3", "hydra.sweep.dir=sweep"]
    with begun([sys.executable, f"{ROOT}/train.py", *sweep], tmp_path) as training:
        training.until("epoch 0/399")
        training.process.send_signal(number)
        assert training.ended() == 128 + number
    assert "sweep: 3 jobs: 2 waiting, 1 stopped\ngo on with the same command: python train.py -m" in (
        training.said()
    )
    assert "Traceback" not in training.said()
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [
        "multirun.yaml",
        "seed=1",
        "sweep.json",
    ]


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("the first process", signal.SIGTERM),
        ("all processes", signal.SIGTERM),
        ("all processes", signal.SIGINT),
    ],
)
def test_all_processes_of_a_training_end_within_15_seconds_of_a_signal(tmp_path, segmenter, to, number):
    several = ["trainer=ddp", "trainer.devices=2"]
    with begun([sys.executable, f"{ROOT}/train.py", *segmenter, *several], tmp_path) as training:
        training.until("epoch 1/399")  # by then last.ckpt is there
        assert len(training.all) == 2
        if to == "all processes":
            os.killpg(training.process.pid, number)
        else:
            training.process.send_signal(number)
        assert training.ended(15) == 128 + number
    (last,) = tmp_path.rglob("last.ckpt")
    assert f"resume={last.parent.parent.relative_to(tmp_path)}" in training.said()
    assert "Traceback" not in training.said()


@pytest.mark.parametrize("which", [0, 1])
def test_where_a_process_of_a_training_was_killed_the_others_end_too(tmp_path, segmenter, which):
    several = ["trainer=ddp", "trainer.devices=2"]
    with begun([sys.executable, f"{ROOT}/train.py", *segmenter, *several], tmp_path) as training:
        training.until("epoch 1/399")
        training.all[which].kill()
        assert training.ended(15) != 0
    (last,) = tmp_path.rglob("last.ckpt")
    if which == 1:
        lost = "process 1 of 2 ended first, by SIGKILL"
        assert f"{lost}; go on with python train.py resume={last}" in training.said()


def test_brainseg_train_begins_several_processes_where_there_is_no_train_py(tmp_path, segmenter):
    several = ["trainer=ddp", "trainer.devices=2", "segmenter.epochs=1", "hydra.run.dir=run of two"]
    done = subprocess.run(
        [sys.executable, "-m", "brainseg", "train", *segmenter, *several],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "MEMBER: 2/2" in done.stdout
    run = tmp_path / "run of two"
    assert (run / "checkpoints" / "best.ckpt").is_file()
    assert (run / "train_ddp_process_1.log").is_file()
    assert list(tmp_path.iterdir()) == [run]


@pytest.mark.parametrize("redirected", ["| head -1", ">&-"])
def test_a_training_that_nobody_reads_goes_on_to_its_end(tmp_path, segmenter, redirected):
    few = ["trainer=smoke", "hydra.run.dir=run"]
    line = f'set -o pipefail; "$@" {redirected}'
    done = subprocess.run(
        ["bash", "-c", line, "-", sys.executable, f"{ROOT}/train.py", *segmenter, *few],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
