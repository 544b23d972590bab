"""The exit codes of predictions that a launcher began: what they found is no fault."""

import sys
from pathlib import Path

import pytest

from brainseg.sweeps.parallel import Command
from brainseg.system import verdicts
from brainseg.training import slurm_task
from brainseg.training.processes import Job, is_end
from brainseg.training.slurm_task import SlurmTask

TRAIN, PREDICT = (f"brainseg.commands.{name}_process" for name in ("train", "predict"))


@pytest.fixture(autouse=True)
def no_verdicts(monkeypatch):
    monkeypatch.setattr(verdicts, "verdicts", [])
    monkeypatch.setattr("brainseg.training.processes.verdicts", verdicts.verdicts)


@pytest.mark.parametrize(
    ("code", "ended"), [(0, True), (3, True), (4, True), (2, False), (1, False), (-9, False)]
)
def test_a_prediction_that_found_something_to_review_has_ended(code, ended, tmp_path):
    job = Job(tmp_path, None, [], Command(PREDICT, (), tmp_path / "log"))
    assert is_end(job, code) is ended
    assert verdicts.verdicts == ([code] if ended else [])


def test_a_training_ends_with_0_only(tmp_path):
    job = Job(tmp_path, None, [], Command(TRAIN, (), tmp_path / "log"))
    assert [code for code in range(6) if is_end(job, code)] == [0]
    assert verdicts.verdicts == []


@pytest.mark.parametrize(("code", "noted"), [(0, "0"), (3, "3"), (4, "4")])
def test_a_job_of_slurm_with_a_verdict_is_none_that_failed(code, noted, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(slurm_task, "_print_into", lambda log: None)
    monkeypatch.setattr(slurm_task, "before_leaving", lambda act: None)
    monkeypatch.setattr(slurm_task, "_requeuing", lambda run: None)
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: sys.exit(code) if code else None)
    SlurmTask()(PREDICT, [], Path(tmp_path))
    assert SlurmTask.end_of(tmp_path, "7") == noted
    assert SlurmTask.end_of(tmp_path, "8") is None


def test_a_job_of_slurm_that_a_fault_ended_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(slurm_task, "_print_into", lambda log: None)
    monkeypatch.setattr(slurm_task, "before_leaving", lambda act: None)
    monkeypatch.setattr(slurm_task, "_requeuing", lambda run: None)
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: sys.exit(2))
    with pytest.raises(SystemExit):
        SlurmTask()(PREDICT, [], Path(tmp_path))
    assert SlurmTask.end_of(tmp_path, "7") is None
