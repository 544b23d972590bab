"""Whole sweeps of a tiny classifier: what the same command does again, and what is refused."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from brainseg.runs.lock import SWEEPING
from brainseg.sweeps.job import read_job

from .sweeping import JOB, Sweeps

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    return Sweeps(tmp_path_factory.mktemp("sweeps"))


def attempts(sweeps, folder):
    return {run.name: read_job(run).attempts for run in sorted((sweeps.root / folder).glob("*=*"))}


def test_the_same_command_leaves_out_what_is_done_and_adds_new_values(sweeps):
    assert sweeps.run("seed=0,1", folder="added")[0] == 0
    before = sweeps.table("added")
    code, said = sweeps.run("seed=0,1", folder="added")
    assert code == 0
    assert "seed=0  done" in said
    code, said = sweeps.run("seed=2,0,1", folder="added")
    assert code == 0, said
    assert attempts(sweeps, "added") == {"seed=0": 1, "seed=1": 1, "seed=2": 1}
    assert {name: row for name, row in sweeps.table("added").items() if name in before} == before
    run = sweeps.root / "added" / "seed=2"
    given = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    assert given["name"].endswith("_seed=2")
    assert given["group"] == "added"
    assert f"classifier={run.relative_to(sweeps.root).parent}/seed=" in said

    other = sweeps.run("seed=0,1", "classifier.optimizer=sgd", folder="added")
    assert other[0] == 2
    assert "hydra.sweep.dir=added holds another sweep: it has not classifier.optimizer=sgd;" in other[1]


def test_without_a_folder_the_same_command_finds_its_sweep(tmp_path):
    command = [sys.executable, f"{ROOT}/train.py", "-m", *JOB, "trainer=smoke", f"paths.data={tmp_path}/data"]
    for arguments in (["seed=0"], ["seed=0,1"]):
        two = [*arguments, "classifier.dropout=0.1,0.2"]
        subprocess.run([*command, *two], cwd=tmp_path, check=True, capture_output=True)
    with_one, with_two = sorted(path.name for path in (tmp_path / "outputs" / "sweeps").iterdir())
    assert (with_one[:19], with_two[:24]) == ("classifier_dropout_", "classifier_dropout_seed_")


def test_a_failed_job_is_told_and_tried_again_when_asked_for(sweeps):
    bad = sweeps.root / "failing" / "seed=1" / "metrics.csv"
    bad.mkdir(parents=True)  # where a file must be written
    code, said = sweeps.run("seed=0,1,2", folder="failing")
    assert code == 4, said
    assert sweeps.states("failing") == ["done", "failed", "done"]
    assert "failed: failing/seed=1: " in said
    assert said.count("sweep.retry=failed") == 1
    bad.rmdir()
    assert sweeps.run("seed=0,1,2", folder="failing")[0] == 4  # it is not tried again by itself
    code, said = sweeps.run("seed=0,1,2", "sweep.retry=failed", folder="failing")
    assert code == 0, said
    assert attempts(sweeps, "failing") == {"seed=0": 1, "seed=1": 2, "seed=2": 1}


def test_a_job_that_was_trained_otherwise_is_not_left_out_in_silence(sweeps):
    assert sweeps.run("seed=0,1", folder="changed")[0] == 0
    file = sweeps.root / "changed" / "seed=1" / "job.json"
    file.write_text(file.read_text().replace('"classifier.batch_size": ', '"classifier.batch_size": 9'))
    code, said = sweeps.run("seed=0,1", folder="changed")
    assert code == 2
    assert "changed/seed=1 was trained with classifier.batch_size=9" in said
    assert len(said.splitlines()) == 1
    code, said = sweeps.run("seed=0,1", "overwrite=true", folder="changed")
    assert code == 0, said
    assert attempts(sweeps, "changed") == {"seed=0": 2, "seed=1": 2}


def test_a_run_that_the_sweep_did_not_begin_is_refused(sweeps):
    last = sweeps.root / "foreign" / "seed=1" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"precious")
    code, said = sweeps.run("seed=0,1", folder="foreign")
    assert code == 2
    assert "foreign/seed=1 holds a run that this sweep did not begin" in said
    assert last.read_bytes() == b"precious"


def test_of_two_sweeps_in_one_folder_the_second_is_refused(sweeps):
    folder = sweeps.root / "held"
    folder.mkdir()
    with (folder / SWEEPING).open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        file.write("process 1 on a node")
        file.flush()
        code, said = sweeps.run("seed=0,1", folder="held")
    assert code == 2
    assert said.startswith("error: held: process 1 on a node runs a sweep there already")


def test_several_processes_for_a_job_are_refused_with_the_launcher_that_can(sweeps):
    code, said = sweeps.run("seed=0,1", "trainer=ddp", "trainer.devices=2", folder="ddp")
    assert code == 2
    assert "hydra/launcher=local_parallel" in said
    assert not (sweeps.root / "ddp").exists()


PARALLEL = ("hydra/launcher=local_parallel", "hydra.launcher.n_jobs=2")


def test_jobs_beside_each_other_end_as_one_after_the_other(sweeps):
    code, said = sweeps.run("seed=0,1,2", *PARALLEL, folder="parallel")
    assert code == 0, said
    assert sweeps.run("seed=0,1,2", folder="one_by_one")[0] == 0
    one_by_one = sweeps.table("one_by_one")
    assert sweeps.table("parallel") == one_by_one
    assert "epoch 2/2" in (sweeps.root / "parallel" / "seed=0" / "process.log").read_text()


def test_a_job_of_two_processes_runs_beside_others(sweeps):
    code, said = sweeps.run("seed=0,1", *PARALLEL, "trainer=ddp", "trainer.devices=2", folder="pairs")
    assert code == 0, said
    assert "MEMBER: 2/2" in (sweeps.root / "pairs" / "seed=1" / "process.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_launcher_ends_its_jobs_which_go_on(sweeps, number):
    folder = sweeps.root / f"signal_{number}"
    given = [*JOB, "classifier.epochs=40", "seed=0,1,2", f"hydra.sweep.dir={folder}"]
    command = [sys.executable, f"{ROOT}/train.py", "-m", *given, *PARALLEL, f"paths.data={sweeps.root}/data"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=sweeps.root)
    end = time.monotonic() + 180
    while sum((job.epoch if (job := read_job(folder / f"seed={n}")) else 0) > 0 for n in (0, 1)) < 2:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(60) == (128 + number if number == signal.SIGTERM else -number)
    assert psutil.wait_procs(children, timeout=60)[1] == []
    done = subprocess.run(
        [sys.executable, "-m", "brainseg", "sweep", str(folder)], capture_output=True, text=True, check=True
    )
    assert "1 waiting, 2 stopped" in done.stdout
    assert read_job(folder / "seed=0").attempts == 1
    code, said = sweeps.run("classifier.epochs=40", "seed=0,1", folder=folder.name)
    assert code == 0, said
    assert sweeps.run("classifier.epochs=40", "seed=0,1", folder=f"{folder.name}_whole")[0] == 0
    two = {name: row for name, row in sweeps.table(folder.name).items() if name != "seed=2"}
    assert two == sweeps.table(f"{folder.name}_whole")


def test_a_job_that_is_killed_has_failed_and_the_others_go_on(sweeps):
    folder = sweeps.root / "oom"
    given = [*JOB, "classifier.epochs=15", "seed=0,1", f"hydra.sweep.dir={folder}"]
    command = [sys.executable, f"{ROOT}/train.py", "-m", *given, *PARALLEL, f"paths.data={sweeps.root}/data"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=sweeps.root)
    end = time.monotonic() + 180
    while (job := read_job(folder / "seed=1")) is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(job.process.number, signal.SIGKILL)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 4, said
    assert sweeps.states("oom") == ["done", "failed"]
    assert "ended by SIGKILL; the system may have run out of memory" in said
