"""A cohort of phantoms that trainings share is always the whole one, and loses no file of the user."""

import errno
import logging
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from brainseg.config.errors import DataError, ImageError, StorageError
from brainseg.data import composed_data
from brainseg.files.atomic import host
from brainseg.phantom import cohort as cohorts
from brainseg.phantom import is_whole, keep_cohort, keeping, write_cohort

COHORT = {"layout": "brats", "subjects": 2, "seed": 3, "spacing_mm": 8.0}
DAY = 24 * 3600


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "brats"
    keep_cohort(folder, **COHORT)
    return folder


@pytest.fixture
def root(kept, tmp_path):
    """A whole cohort, to be damaged."""
    return Path(shutil.copytree(kept, tmp_path / "phantom" / "brats"))


@pytest.fixture
def data(composed):
    """The data module of a segmenter on two phantoms."""
    cohort = ["data=phantom", "data.subjects=2", "data.spacing_mm=8", "data.test_share=0"]
    return composed_data(composed("model=segmenter", *cohort))


def shown(root: Path) -> dict[str, bytes]:
    """The files that are not hidden."""
    files = [path for path in root.rglob("[!.]*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def aged(path: Path, seconds: float) -> Path:
    for each in (*path.rglob("*"), path):
        os.utime(each, (time.time() - seconds,) * 2)
    return path


def process_that_has_ended() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_runs_that_need_the_same_cohort_at_once_all_get_the_whole_one(tmp_path):
    """One of them died with "Directory not empty"."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: keep_cohort(tmp_path / "brats", **COHORT), range(2)))
    assert is_whole(tmp_path / "brats")
    assert len(shown(tmp_path / "brats")) == 2 * 5
    assert [path.name for path in tmp_path.iterdir()] == ["brats"]


def test_a_training_takes_the_cohort_of_a_run_that_was_first(data, monkeypatch):
    """Where the file system has no locks, by which the one would wait for the other."""
    monkeypatch.setattr(keeping, "one_at_a_time", lambda _: nullcontext())
    made, made_by_us = [], cohorts._made

    def overtaken(*arguments):
        if not made:
            made.append(1)
            data.write()  # the other run, from beginning to end
        return made_by_us(*arguments)

    monkeypatch.setattr(cohorts, "_made", overtaken)
    data.write()
    assert is_whole(data.folder)
    assert [path.name for path in data.folder.parent.iterdir()] == [data.folder.name]


def test_the_command_still_refuses_a_folder_that_another_run_has_filled_meanwhile(tmp_path):
    def meanwhile(done, total):
        (tmp_path / "c").mkdir(exist_ok=True)
        (tmp_path / "c" / "mine.txt").write_text("precious")

    with pytest.raises(DataError, match="exists and is not empty"):
        write_cohort(tmp_path / "c", **COHORT, progress=meanwhile)
    assert [path.name for path in tmp_path.rglob("*")] == ["c", "mine.txt"]


def remove_a_subject(root: Path) -> None:
    for path in (root / "BraTS2021_00001").iterdir():
        path.unlink()
    (root / "BraTS2021_00001").rmdir()


DAMAGES = {
    "a subject is gone": remove_a_subject,
    "a scan is gone": lambda root: next(root.rglob("*_t2.nii.gz")).unlink(),
    "a scan is empty": lambda root: next(root.rglob("*_seg.nii.gz")).write_bytes(b""),
    "a scan is cut": lambda root: os.truncate(next(root.rglob("*_t1.nii.gz")), 900),
    "its manifest is gone": lambda root: (root / ".cohort.json").unlink(),
    "its manifest is empty": lambda root: (root / ".cohort.json").write_text("{}"),
    "its manifest is garbage": lambda root: (root / ".cohort.json").write_bytes(b"\xff" * 9),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_missing_of_a_cohort_is_made_again(root, damage):
    before = shown(root)
    damage(root)
    assert not is_whole(root)
    keep_cohort(root, **COHORT)
    assert is_whole(root)
    assert shown(root) == before


def test_a_training_counts_its_cohort_before_it_takes_it(data, caplog):
    data.write()
    before = shown(data.folder)
    remove_a_subject(data.folder)
    with caplog.at_level(logging.WARNING, "brainseg"):
        data.write()
    assert shown(data.folder) == before
    assert "5 files were missing or damaged, and are made again: BraTS2021_00001" in caplog.text


def test_files_of_the_user_stay_and_one_that_had_to_make_way_is_kept(root, caplog):
    (root / "notes.txt").write_text("precious")
    edited = next(root.rglob("*_seg.nii.gz"))
    edited.write_bytes(b"drawn by hand")
    keep_cohort(root, **COHORT)
    assert (root / "notes.txt").read_text() == "precious"
    assert [path.read_bytes() for path in edited.parent.glob(f".{edited.name}.was-*")] == [b"drawn by hand"]
    with caplog.at_level(logging.WARNING, "brainseg"):
        assert is_whole(root)
    assert "1 files there are not of this cohort" in caplog.text
    assert "notes.txt" in caplog.text


def test_a_whole_cohort_is_not_made_twice(root, monkeypatch):
    monkeypatch.setattr(cohorts, "_made", None)
    keep_cohort(root, **COHORT)


def fill_up(monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("brainseg.images.nifti._to_fill", full)
    monkeypatch.setattr("PIL.Image.Image.save", full)


@pytest.mark.parametrize("layout", ["bids", "kaggle"])
def test_the_command_names_the_folder_that_was_asked_for_when_its_disk_is_full(tmp_path, monkeypatch, layout):
    fill_up(monkeypatch)
    with pytest.raises(ImageError, match=rf"^{tmp_path}/c: not written, no space left .* MB free"):
        write_cohort(tmp_path / "c", **COHORT | {"layout": layout})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_ends_in_one_line_with_the_folder_and_leaves_nothing(data, monkeypatch):
    fill_up(monkeypatch)
    message = r"phantom/brats-\w+: cannot be written, no space left .* MB free\); .* or set data\.root=DIR"
    with pytest.raises(StorageError, match=message) as told:
        data.write()
    assert "\n" not in str(told.value)
    assert list(data.folder.parent.iterdir()) == []


def test_what_dead_processes_left_goes_and_what_a_live_one_writes_stays(data):
    """Both as today's code names it and as that of earlier versions did, by age alone."""
    parent = data.folder.parent
    dead = parent / f".partial-brats-1-{host()}-{process_that_has_ended()}-01234567"
    live = parent / f".partial-brats-1-{host()}-{os.getppid()}-01234567"
    old, young = parent / f".0123abcd.{data.folder.name}", parent / f".4567abcd.{data.folder.name}"
    mine = parent / ".0123abcd.notes"
    for folder in (dead, live, old, young, mine):
        (folder / "BraTS2021_00000").mkdir(parents=True)
        (folder / "BraTS2021_00000" / "t1.nii.gz").write_text("half")
    for folder in (old, young, mine):
        aged(folder, 2 * DAY)
    (young / "BraTS2021_00000" / "t1.nii.gz").write_text("half and more")
    data.write()
    assert sorted(path.name for path in parent.iterdir()) == sorted(
        path.name for path in (live, young, mine, data.folder)
    )


def test_half_written_entries_and_files_of_the_cache_go_when_they_are_old_or_their_process_is_dead(data):
    shelf = Path(data.inner.cache.folder) / "ab"
    old_entry, young_entry = shelf / ".partial-abcd_123", shelf / ".partial-abcd_124"
    entry, digests = shelf / "abcdef", shelf.parent / "digests"
    dead = f".writing-{host()}-{process_that_has_ended()}-01234567"
    live = f".writing-{host()}-{os.getppid()}-01234567"
    for folder in (old_entry, young_entry, entry, digests):
        folder.mkdir(parents=True)
        for name in ("image.npy", f"{dead}.image.npy", f"{live}.image.npy", ".keep.npy", f"{'0' * 32}.4711"):
            (folder / name).write_text("half")
    aged(old_entry, 2 * DAY)
    aged(digests, 2 * DAY)
    data.prepare_data()
    kept = {"image.npy", f"{live}.image.npy", ".keep.npy"}
    assert {path.name for path in shelf.iterdir()} == {young_entry.name, entry.name}
    assert {path.name for path in entry.iterdir()} == kept | {f"{'0' * 32}.4711"}
    assert {path.name for path in digests.iterdir() if path.read_text() == "half"} == kept


def test_a_cache_whose_leftovers_may_not_be_removed_is_still_of_use(data, monkeypatch):
    data.prepare_data()
    entry = next(Path(data.inner.cache.folder).glob("[0-9a-f][0-9a-f]/*"))
    leftover = entry / f".writing-{host()}-{process_that_has_ended()}-01234567.image.npy"
    leftover.write_text("half")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    data.prepare_data()
    assert leftover.exists()


@pytest.mark.slow
def test_a_run_killed_while_it_writes_leaves_nothing_that_the_next_one_does_not_mend(tmp_path):
    """Killed in the middle of a subject: the next run has a whole cohort and sweeps up after the dead one."""
    code = (
        "import os, signal, sys; from brainseg.phantom import keep_cohort; "
        "keep_cohort(sys.argv[1], layout='brats', subjects=2, seed=3, spacing_mm=8.0, "
        "progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "brats")], check=False)
    assert done.returncode == -9
    # The lock is held by nobody any more: the system let go of it.
    assert sorted(path.name[:9] for path in tmp_path.iterdir()) == [".brats.lo", ".partial-"]
    keep_cohort(tmp_path / "brats", **COHORT)
    assert is_whole(tmp_path / "brats")
    assert [path.name for path in tmp_path.iterdir()] == ["brats"]
