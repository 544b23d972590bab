import os
import subprocess
import sys
import time

import pytest

from brainseg.config.errors import ImageError
from brainseg.files import atomic as files
from brainseg.files.folders import left_behind, new_folder, sweep


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def left_by(parent, pid, *, host=None, name="patient-1"):
    folder = parent / f".partial-{name}-{host or files.host()}-{pid}-0123abcd"
    folder.mkdir()
    (folder / "half.nii.gz").write_bytes(b"half")
    return folder


def test_a_folder_appears_only_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "one") as folder:
        (folder / "a.txt").write_text("whole")
        assert folder.parent == tmp_path / "deep"
        assert folder.name.startswith(".partial-one-")
        assert not (tmp_path / "deep" / "one").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["one"]
    assert (tmp_path / "deep" / "one" / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, FileNotFoundError])
def test_a_failure_of_any_kind_leaves_nothing(stop, tmp_path):
    def fill_and_stop():
        with new_folder(tmp_path / "one") as folder:
            (folder / "a.txt").write_text("half")
            raise stop

    with pytest.raises(stop):
        fill_and_stop()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_replaced(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "theirs.txt").write_text("theirs")
    with pytest.raises(FileExistsError, match="one"), new_folder(tmp_path / "one") as folder:
        (folder / "ours.txt").write_text("ours")
    assert [path.name for path in tmp_path.rglob("*")] == ["one", "theirs.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "one").mkdir()
    with new_folder(tmp_path / "one") as folder:
        (folder / "a.txt").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["one", "a.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ImageError, match=r"cannot be written.*another folder"),
        new_folder(tmp_path / "file" / "x"),
    ):
        pass


def test_folders_of_dead_processes_are_swept_up_and_those_of_live_ones_stay(tmp_path, dead_pid):
    left_by(tmp_path, dead_pid)
    live = left_by(tmp_path, os.getppid())
    with new_folder(tmp_path / "mine") as mine:
        assert len(sweep(tmp_path)) == 1
        assert {path.name for path in tmp_path.iterdir()} == {live.name, mine.name}


def test_a_folder_with_the_number_that_this_process_has_now_is_dead_too(tmp_path):
    """In a container each start has the number 1 or 7 again."""
    left_by(tmp_path, os.getpid())
    assert len(sweep(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


def test_folders_of_another_machine_are_swept_up_only_when_they_are_old(tmp_path, dead_pid):
    folder = left_by(tmp_path, dead_pid, host="elsewhere")
    assert sweep(tmp_path) == []
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(folder, (long_ago, long_ago))
    assert sweep(tmp_path) == [folder]


@pytest.mark.parametrize("name", [".partial-mine", ".partial-a-b-c-d", "partial-x-h-1-0123abcd", ".cache"])
def test_a_folder_that_is_only_named_alike_is_not_ours(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").write_text("mine")
    assert sweep(tmp_path) == []
    assert (tmp_path / name / "notes.txt").read_text() == "mine"


def test_a_link_is_never_followed(tmp_path, dead_pid):
    target = tmp_path / "target"
    target.mkdir()
    (target / "scan.nii.gz").touch()
    (tmp_path / f".partial-x-{files.host()}-{dead_pid}-0123abcd").symlink_to(target)
    assert sweep(tmp_path) == []
    assert (target / "scan.nii.gz").exists()


def test_what_is_left_behind_says_which_folder_it_was_to_be(tmp_path, dead_pid):
    folder = left_by(tmp_path, dead_pid, name="sub-01_ses-2")
    assert left_behind(tmp_path, "partial") == [(folder, "sub-01_ses-2")]
    assert left_behind(tmp_path / "missing", "partial") == []


def test_a_fault_of_what_is_read_while_a_folder_is_filled_is_not_blamed_on_it(tmp_path):
    def fill() -> None:
        with new_folder(tmp_path / "one"):
            raise PermissionError(13, "Permission denied", str(tmp_path / "scan.nii.gz"))

    with pytest.raises(PermissionError, match=r"scan\.nii\.gz"):
        fill()


def test_a_full_disk_is_said_with_the_folder(tmp_path):
    def fill() -> None:
        with new_folder(tmp_path / "one"):
            raise OSError(28, "No space left on device")

    with pytest.raises(ImageError, match=r"one: not written, no space left.*make room"):
        fill()
    assert list(tmp_path.iterdir()) == []
