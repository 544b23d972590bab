"""The ledger and the table of a sweep whose jobs are written by hand."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brainseg.config.errors import ConfigError, UserError
from brainseg.files.atomic import host
from brainseg.runs.lock import SWEEPING, is_swept, only_sweep_in
from brainseg.sweeps import job as job_file
from brainseg.sweeps.identity import Identity
from brainseg.sweeps.job import Job, Metric, Process, State, read_job
from brainseg.sweeps.ledger import Entry, is_job, plan, read_ledger, refresh
from brainseg.sweeps.table import best_job, end_lines, seconds_left

SWEEP = Identity(("data=phantom",), ("seed",))
ROOT = Path(__file__).resolve().parents[2]


def a_job(state, seed, value=0.5, epoch=2, **changes):
    process = Process(os.getpid(), job_file._this_process().began, host())
    made = Job(
        1, state, 1, time.time(), time.time(), 20.0, epoch, 4, Metric("val/accuracy", "max", value), None,
        process, "", {},
    )  # fmt: skip
    return seed, replace(made, **changes)


def write(folder, *jobs):
    entries = [Entry({"seed": str(n)}, f"seed={n}", "classifier", "", epochs=4) for n in range(4)]
    plan(folder, SWEEP, ["-m", "data=phantom", "seed=0,1,2,3"], entries)
    for seed, job in jobs:
        (folder / f"seed={seed}").mkdir(exist_ok=True)
        job_file._write(folder / f"seed={seed}", job)
    return folder


def test_the_ledger_is_what_the_jobs_say(tmp_path):
    done, failed = a_job(State.done, 0, 0.9, 4), a_job(State.failed, 2, error="no room")
    write(tmp_path, done, a_job(State.running, 1), failed)
    ledger = refresh(tmp_path)
    assert ledger == read_ledger(tmp_path)
    assert [job.state for job in ledger.jobs] == ["done", "running", "failed", "waiting"]
    assert best_job(ledger).folder == "seed=0"
    assert seconds_left(ledger) == pytest.approx(25 / 3 * 6)  # 2 epochs of seed=1 and 4 of seed=3
    assert not list(tmp_path.glob(".*"))
    assert is_job(tmp_path / "seed=3")
    assert not is_job(tmp_path / "seed=4")


def test_what_runs_in_a_process_that_is_gone_was_stopped(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead = a_job(State.running, 0, process=Process(gone.pid, time.time(), host()))
    reused = a_job(State.running, 1, process=Process(os.getpid(), 1.0, host()))  # the number of another
    far, silent = (a_job(State.running, n, process=Process(1, 1.0, "elsewhere")) for n in (2, 3))
    write(tmp_path, dead, reused, far, silent)
    os.utime(tmp_path / "seed=3" / "job.json", (1, 1))
    assert [job.state for job in read_ledger(tmp_path).jobs] == ["stopped", "stopped", "running", "stopped"]


def test_the_end_says_what_to_type_next(tmp_path):
    lines = [*end_lines(Path("S"), refresh(write(tmp_path, a_job(State.done, 0), a_job(State.failed, 1))))]
    command = "python train.py -m data=phantom seed=0,1,2,3"
    assert lines[0] == "S: 4 jobs: 2 waiting, 1 done, 1 failed"
    assert f"go on with the same command: {command}" in lines
    assert f"try the failed ones again: {command} sweep.retry=failed" in lines
    assert "best: seed=0, val/accuracy 0.5000" in lines
    assert lines[-1].endswith("predict.py input=PATH classifier=S/seed=0/checkpoints/best.ckpt")


def test_where_less_is_better_the_least_is_best(tmp_path):
    lower = Metric("val/loss", "min", 0.1)
    write(
        tmp_path, a_job(State.done, 0, metric=replace(lower, value=0.2)), a_job(State.done, 1, metric=lower)
    )
    assert best_job(read_ledger(tmp_path)).folder == "seed=1"
    write(tmp_path, a_job(State.done, 0))  # judged by another metric
    assert best_job(read_ledger(tmp_path)) is None


def test_jobs_are_added_and_another_sweep_is_refused(tmp_path):
    write(tmp_path, a_job(State.done, 0))
    added = plan(tmp_path, SWEEP, [], [Entry({"seed": "9"}, "seed=9", "classifier", "")])
    assert [job.folder for job in added.jobs] == ["seed=0", "seed=1", "seed=2", "seed=3", "seed=9"]
    with pytest.raises(ConfigError, match="holds another sweep: it has data=phantom; it has not data=nfbs"):
        plan(tmp_path, Identity(("data=nfbs",), ("seed",)), [], [])


def test_an_unreadable_job_is_one_that_failed_and_the_others_are_shown(tmp_path):
    write(tmp_path, a_job(State.done, 0), a_job(State.done, 1))
    (tmp_path / "seed=1" / "job.json").write_text("{")
    broken = read_ledger(tmp_path).jobs[1]
    assert broken.state is State.failed
    assert "seed=1/job.json: cannot be read" in broken.error


def test_the_command_shows_the_table_and_fails_where_a_job_has_failed(tmp_path):
    from brainseg.commands.cli import app

    write(tmp_path, a_job(State.done, 0), a_job(State.running, 1))
    done = CliRunner().invoke(app, ["sweep", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].split() == ["job", "state", "epoch", "val/accuracy", "seconds", "ends"]
    assert done.stdout.splitlines()[1].split() == ["seed=0", "done", "2/4", "0.5000", "20"]
    write(tmp_path, a_job(State.failed, 2, error="no room"))
    failed = CliRunner().invoke(app, ["sweep", str(tmp_path)])
    assert failed.exit_code == 4
    assert "seed=2: no room" in failed.stdout


def test_the_command_needs_no_torch(tmp_path):
    write(tmp_path, a_job(State.done, 0))
    code = (
        f"import sys; sys.argv = ['brainseg', 'sweep', {str(tmp_path)!r}]\n"
        "from brainseg.commands.cli import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_a_sweep_is_run_while_its_process_lives(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not is_swept(tmp_path)
    with only_sweep_in(tmp_path):
        assert is_swept(tmp_path)
    assert not is_swept(tmp_path)
    (tmp_path / SWEEPING).write_text(f"process {gone.pid} on {os.uname().nodename}")
    assert not is_swept(tmp_path)
    (tmp_path / SWEEPING).write_text(f"process {gone.pid} on another")
    assert is_swept(tmp_path)


def test_a_folder_without_a_ledger_is_answered_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"sweep\.json is not there; give the folder of a sweep"):
        read_ledger(tmp_path)


def test_a_failure_is_noted_once_and_by_whom_it_was(tmp_path, composed):
    folder = write(tmp_path / "s", a_job(State.failed, 0, error="mine"))
    cfg = composed("data=phantom")
    for seed in (0, 1):
        job_file.note_failure(folder / f"seed={seed}", cfg, "ended by SIGKILL")
    assert [read_job(folder / f"seed={n}").error for n in (0, 1)] == ["mine", "ended by SIGKILL"]
