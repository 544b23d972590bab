import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from brainseg.commands import cli
from brainseg.config.choices import PHANTOM_LAYOUTS
from brainseg.config.errors import DataError
from brainseg.system.doctor import Check


def run(*args):
    return CliRunner().invoke(cli.app, list(args))


def brainseg(*args):
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "brainseg", *args],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_every_command_and_loads_no_torch():
    done = brainseg("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("doctor", "phantom", "train", "predict"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "numpy", "pytorch_lightning", "matplotlib", "nibabel", "monai", "wandb"}


def test_the_version_is_that_of_the_package():
    from brainseg.system.doctor import brainseg_version

    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"brainseg {brainseg_version()}\n")


def test_doctor_prints_fixes_and_tells_by_its_exit_code(monkeypatch):
    import brainseg.system.doctor

    said = [Check("torch", "2.15"), Check("disk", "0.1 GiB [free]", ok=False, fix="make room")]
    monkeypatch.setattr(brainseg.system.doctor, "examine", lambda data, outputs: said)
    result = run("doctor")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines == [
        ["ok", "torch", "2.15"],
        ["no", "disk", "0.1", "GiB", "[free]"],
        ["fix:", "make", "room"],
    ]
    assert result.exit_code == 1
    said.pop()
    assert run("doctor").exit_code == 0


def test_what_the_user_can_mend_is_one_line_without_a_traceback(monkeypatch, tmp_path):
    import brainseg.phantom

    def refuse(*args, **kwargs):
        raise DataError("the folder is not empty; choose another")

    monkeypatch.setattr(brainseg.phantom, "write_cohort", refuse)
    result = run("phantom", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "error: the folder is not empty; choose another\n"
    assert result.stdout == ""


@pytest.mark.parametrize("layout", PHANTOM_LAYOUTS)
def test_phantom_writes_what_was_asked_for_and_says_what_to_try_next(monkeypatch, tmp_path, layout):
    import brainseg.phantom

    asked = {}

    def write(root, *, progress, **kwargs):
        asked.update(kwargs)
        (root / "a").write_bytes(b"0" * 2**20)
        progress(3, 3)
        return ["a", "b", "c"]

    monkeypatch.setattr(brainseg.phantom, "write_cohort", write)
    folder = tmp_path / "my heads"
    folder.mkdir()
    result = run("phantom", str(folder), "--layout", layout, "--subjects", "3", "--spacing-mm", "2")
    assert asked == {
        "layout": layout, "subjects": 3, "seed": 0, "spacing_mm": 2.0, "contrast": "realistic",
        "operated_share": 0.0,
    }  # fmt: skip
    first, second = result.stdout.splitlines()
    assert first == f"{folder}: 3 subjects in {layout} layout, 1 file, 1 MiB"
    assert second.startswith("next: python ")
    assert f"'{folder}'" in second  # a name with a space is quoted for the shell


def test_a_layout_that_does_not_exist_lists_the_choices(tmp_path):
    result = run("phantom", str(tmp_path), "--layout", "dicom")
    assert result.exit_code == 2
    assert all(layout in result.stderr for layout in ("brats", "nfbs", "kaggle", "msd", "bids"))


@pytest.mark.parametrize("command", ["train", "predict"])
def test_train_and_predict_hand_all_arguments_on(monkeypatch, command):
    import brainseg.commands.main

    seen = []
    monkeypatch.setattr(brainseg.commands.main, f"{command}_main", lambda: seen.append(list(sys.argv)))
    monkeypatch.setattr(sys, "argv", ["brainseg"])
    result = run(command, "-m", "model=segmenter", "--cfg", "job", "segmenter.epochs=1,2", "--help")
    assert result.exit_code == 0
    assert seen == [
        [f"{command}.py", "-m", "model=segmenter", "--cfg", "job", "segmenter.epochs=1,2", "--help"]
    ]


def test_the_pages_of_the_student_report_have_their_old_name_too_but_it_is_not_shown():
    shown = {line.split()[1] for line in run("--help").stdout.splitlines() if re.match("\\S [a-z]", line)}
    assert {"study", "doctor"} <= shown
    assert "report" not in shown
    for group in ("study", "report"):
        shown = run(group, "--help").stdout
        assert all(name in shown for name in ("grid", "classifier", "skullstrip", "segmentation"))


def test_a_full_disk_is_one_line_in_the_tools_as_in_train_and_predict(monkeypatch, tmp_path):
    import errno

    import brainseg.phantom

    def fill(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a.nii.gz"))

    monkeypatch.setattr(brainseg.phantom, "write_cohort", fill)
    result = run("phantom", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "a.nii.gz" in result.stderr
    assert len(result.stderr.splitlines()) == 1
