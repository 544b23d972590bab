"""What is typed in a shell: exit codes, one line, and nothing left behind of a command that failed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brainseg.system.signals import stoppable

ROOT = Path(__file__).resolve().parent.parent.parent


def shell(line, cwd, **environment):
    """`line` by bash, with $TRAIN, $PREDICT and $BRAINSEG as the ways to call the commands."""
    ways = {
        "TRAIN": f"{sys.executable} {ROOT}/train.py",
        "PREDICT": f"{sys.executable} {ROOT}/predict.py",
        "BRAINSEG": f"{sys.executable} -m brainseg",
    }
    paths = {"PYTHONPATH": str(ROOT), "BRAINSEG_DATA": str(cwd / "data")}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=cwd,
        env=os.environ | ways | paths | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "line",
    [
        "$BRAINSEG --help | true",
        "$BRAINSEG --help >&-",
        "$BRAINSEG train --cfg job | head -1",
        "$TRAIN --help | true",
        "$PREDICT --cfg job input=x >&-",
    ],
)
def test_a_reader_who_leaves_costs_no_command_its_exit_code(tmp_path, line):
    done = shell(line, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", ["$TRAIN --cfg job", "$BRAINSEG train --cfg job", "$BRAINSEG bids a b"])
def test_ctrl_c_while_modules_are_imported_is_one_line(tmp_path, line):
    # A module of the name that every command imports first, which stops this process as Ctrl+C would.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('brainseg.commands.main', 'brainseg.commands.cli'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n"
    )
    done = shell(line, tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (done.returncode, done.stderr, done.stdout) == (130, "stopped by Ctrl+C\n", "")


def test_ctrl_c_is_the_way_to_end_view(tmp_path):
    (tmp_path / "index.html").write_text("<p>all of them</p>")
    with subprocess.Popen(
        [sys.executable, "-m", "brainseg", "view", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        assert process.stdout.readline() == "Ctrl+C ends it\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("line", ["$TRAIN --help", "$BRAINSEG train --help", "$PREDICT --help", "$BRAINSEG"])
def test_help_names_the_exit_codes(tmp_path, line):
    said = shell(line, tmp_path).stdout
    assert "Exit codes: 0 " in said
    assert all(f" {code} " in said for code in (2, 130, 143, 129))


@pytest.fixture
def run_train(tmp_path, monkeypatch):
    """Run train_main with something else in place of the training; its exit code."""
    import brainseg.training.train
    from brainseg.commands.main import train_main

    def run(train, *arguments):
        monkeypatch.setattr(brainseg.training.train, "train", train)
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended, stoppable():
            train_main()
        return ended.value.code

    return run


def test_a_stop_after_the_last_epoch_says_how_to_go_on_too(tmp_path, run_train, capsys):
    """The trainer is done: its checkpoints learn what prediction needs, or are scored."""

    def train(cfg):
        checkpoints = Path(cfg.paths.run) / "checkpoints"
        checkpoints.mkdir()
        (checkpoints / "last.ckpt").touch()
        signal.raise_signal(signal.SIGTERM)

    assert run_train(train, "hydra.run.dir=run", "data=phantom") == 143
    assert capsys.readouterr().err == "go on with python train.py resume=run\n"


def test_a_sweep_ends_whatever_a_library_makes_of_the_signal(tmp_path, run_train, capsys):
    def train(cfg):
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            raise ImportError("numpy failed to import") from None

    places = ["hydra.sweep.dir=sweep", "hydra.sweep.subdir=${hydra:job.num}"]
    data = ["data=phantom", "classifier.backbone=test_resnet"]
    assert run_train(train, "-m", "seed=1,2", *data, *places) == 130
    said = capsys.readouterr().out.splitlines()
    again = f"python train.py -m seed=1,2 {' '.join(data)} hydra.sweep.dir=sweep '{places[1]}'"
    assert said[-2:] == ["sweep: 2 jobs: 2 waiting", f"go on with the same command: {again}"]
    assert not (tmp_path / "sweep" / "1").exists()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$TRAIN model=segmenter segmenter.epochs=0", 2),
        pytest.param("$TRAIN model=segmenter", 2, marks=pytest.mark.slow),  # no data there
        pytest.param("$PREDICT input=nowhere skullstripper=otsu", 2, marks=pytest.mark.slow),
    ],
)
def test_a_command_that_failed_before_it_began_leaves_no_folder(tmp_path, line, code):
    done = shell(line, tmp_path)
    assert done.returncode == code
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.name.startswith("20")] == []


def test_whatever_else_is_in_the_folder_of_a_failed_run_stays_with_it(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    assert shell("$TRAIN model=segmenter segmenter.epochs=0 hydra.run.dir=run", tmp_path).returncode == 2
    assert (run / "notes.txt").read_text() == "mine"
    assert (run / ".hydra" / "config.yaml").is_file()
    assert shell("$TRAIN model=segmenter segmenter.epochs=0 hydra.run.dir=.", run).returncode == 2
    assert (run / "notes.txt").read_text() == "mine"


def test_the_folder_that_a_command_was_called_in_stays(tmp_path):
    (tmp_path / "here").mkdir()
    done = shell("$TRAIN model=segmenter segmenter.epochs=0 hydra.run.dir=.", tmp_path / "here")
    assert done.returncode == 2
    assert (tmp_path / "here").is_dir()
