"""Sweeps in a real Slurm: requeued, out of time, of two processes; each ends as one that nothing befell."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .one_node import OneNode

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]
JOB = (
    *("data=phantom", "data.spacing_mm=8", "data.subjects=8", "data.slices_per_subject=3", "data.workers=0"),
    *("classifier.backbone=test_resnet", "classifier.preprocess.size=32", "callbacks.panels=null"),
    *("trainer.accelerator=cpu", "callbacks.curves=null", "test=false"),
)
GRID = ("classifier.loss=kl_divergence,categorical_crossentropy", "seed=0,1", "classifier.epochs=30")
SLURM = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1")
TIMES = ("seconds", "attempts", "updated")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if missing := OneNode.missing():
        pytest.fail(f"{', '.join(missing)} not found; apt-get install slurm-wlm munge")
    node = OneNode(tmp_path_factory.mktemp("slurm"))
    node.start()
    yield node
    node.stop()
    print(f"\nSlurm's job-completion log:\n{node.completed()}")


class Sweep:
    """`python train.py -m` in a folder, with the phantoms of all."""

    def __init__(self, slurm: OneNode, name: str) -> None:
        self.slurm, self.folder = slurm, slurm.folder / name
        self.log = slurm.folder / f"{name}.log"

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        given = [*JOB, *arguments, f"hydra.sweep.dir={self.folder}", f"paths.data={self.slurm.folder}/data"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, f"{ROOT}/train.py", "-m", *given],
                cwd=self.slurm.folder, env=self.slurm.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self, process: "subprocess.Popen[bytes]", code: int = 0) -> str:
        """What it printed, once it has ended; what Slurm delays after a requeue is begun at once."""
        end = time.monotonic() + 900
        while process.poll() is None:
            assert time.monotonic() < end, self.log.read_text()
            for line in self.slurm.said("squeue", "--noheader", "--states=PENDING", "--format=%A").split():
                self.slurm.said("scontrol", "update", f"JobId={line}", "StartTime=now")
            time.sleep(1)
        assert process.returncode == code, self.log.read_text()
        return self.log.read_text()

    def job(self, name: str) -> dict:
        file = self.folder / name / "job.json"
        return json.loads(file.read_text()) if file.exists() else {"epoch": 0, "attempts": 0}

    def wait_for_epoch(self, name: str, epoch: int) -> None:
        end = time.monotonic() + 240
        while self.job(name)["epoch"] < epoch:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def table(self) -> dict:
        """Each job's entry in the ledger without times, and all that its metrics.csv has."""
        ledger = json.loads((self.folder / "sweep.json").read_text())
        return {
            job["folder"]: (
                {key: value for key, value in job.items() if key not in TIMES},
                (self.folder / job["folder"] / "metrics.csv").read_text(),
            )
            for job in ledger["jobs"]
        }


def number(sweep, name):
    return (sweep.folder / name / ".slurm").read_text()


def test_an_array_with_a_job_requeued_in_the_middle_ends_as_without(slurm):
    whole = Sweep(slurm, "whole")
    whole.end(whole.begin(*GRID))
    requeued, name = Sweep(slurm, "requeued"), "loss=kl_divergence_seed=1"
    process = requeued.begin(*GRID, *SLURM)
    requeued.wait_for_epoch(name, 3)
    slurm.said("scontrol", "requeue", number(requeued, name))
    said = requeued.end(process)
    assert requeued.job(name)["attempts"] == 2, said
    assert "going on with" in (requeued.folder / name / "process.log").read_text()
    assert requeued.table() == whole.table()
    assert len(whole.table()) == 4
    print(said)
    before = slurm.completed()
    requeued.end(requeued.begin(*GRID, *SLURM))  # the same command again: all is done
    assert slurm.completed() == before


def test_one_job_of_two_processes_is_requeued_and_ends_as_without(slurm):
    two = ("trainer=ddp", "trainer.devices=2", "seed=0,1", "classifier.epochs=30")
    whole = Sweep(slurm, "ddp_whole")
    whole.end(whole.begin(*two, "hydra/launcher=local_parallel", "hydra.launcher.n_jobs=1"))
    ddp = Sweep(slurm, "ddp")
    process = ddp.begin(*two, *SLURM, "hydra.launcher.tasks_per_node=2")
    ddp.wait_for_epoch("seed=1", 3)
    slurm.said("scontrol", "requeue", number(ddp, "seed=1"))
    print(ddp.end(process))
    said = (ddp.folder / "seed=1" / "process.log").read_text()
    assert "MEMBER: 2/2" in said
    assert ddp.job("seed=1")["attempts"] == 2, said
    # A checkpoint within an epoch is of the first process, which has only its share of the epoch's mean loss.
    ours, theirs = ddp.table(), whole.table()
    assert {name: job for name, (job, _) in ours.items()} == {name: job for name, (job, _) in theirs.items()}
    rows = zip(*(one["seed=1"][1].splitlines() for one in (ours, theirs)), strict=True)
    differing = [row for row in rows if row[0] != row[1]]
    assert len(differing) <= 1
    assert ours["seed=0"] == theirs["seed=0"]


def test_a_job_whose_time_is_up_is_queued_again_so_often_and_then_stays_stopped(slurm):
    given = ("seed=choice(0)", "classifier.epochs=1500")
    limits = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=45")
    timed = Sweep(slurm, "timed")
    print(timed.end(timed.begin(*given, *SLURM, *limits, "hydra.launcher.max_num_timeout=1"), code=4))
    said = (timed.folder / "seed=0" / "process.log").read_text()
    assert "SIGUSR2, from Slurm" in said
    assert said.count("queued again; the next attempt goes on") == 1
    assert "timed-out too many times" in said
    attempts = timed.job("seed=0")["attempts"]  # fewer than two, where one was stopped before it had begun
    assert timed.job("seed=0").get("state", "stopped") == "stopped"
    timed.end(timed.begin(*given, *SLURM))
    assert timed.job("seed=0")["attempts"] == attempts + 1
    whole = Sweep(slurm, "timed_whole")
    whole.end(whole.begin(*given))
    assert timed.table() == whole.table()


def test_a_sweep_whose_command_is_killed_waits_for_the_same_jobs_again(slurm):
    given = ("seed=0,1", "classifier.epochs=60", *SLURM, "hydra.launcher.array_parallelism=1")
    killed = Sweep(slurm, "killed")
    process = killed.begin(*given)
    killed.wait_for_epoch("seed=0", 1)
    process.kill()
    process.wait()
    said = killed.end(killed.begin(*given))
    assert "0 of 1 jobs submitted" in said
    assert killed.job("seed=1")["attempts"] == 1


def test_a_job_that_fails_or_is_cancelled_does_not_stop_the_others(slurm):
    failing = Sweep(slurm, "failing")
    (failing.folder / "seed=1" / "metrics.csv").mkdir(parents=True)  # where a file must be written
    process = failing.begin("seed=0,1,2", "classifier.epochs=60", *SLURM)
    failing.wait_for_epoch("seed=2", 1)
    slurm.said("scancel", number(failing, "seed=2"))
    said = failing.end(process, code=4)
    states = {
        job["folder"]: job["state"] for job in json.loads((failing.folder / "sweep.json").read_text())["jobs"]
    }
    assert states == {"seed=0": "done", "seed=1": "failed", "seed=2": "stopped"}, said


def test_what_slurm_refuses_is_one_line(slurm):
    refused = Sweep(slurm, "refused")
    said = refused.end(refused.begin("seed=0,1", *SLURM, "hydra.launcher.partition=nowhere"), code=2)
    assert "error: hydra/launcher=slurm: " in said
    assert "invalid partition" in said
    refused = Sweep(slurm, "unequal")
    said = refused.end(refused.begin("seed=0,1", *SLURM, "trainer=ddp", "trainer.devices=2"), code=2)
    assert "trainer.devices=2 and hydra.launcher.tasks_per_node=1 must be equal" in said
