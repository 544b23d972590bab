"""Folders that are there whole or not at all, and what a killed process has left of one.

A folder is filled under a name that says whose it is, `.partial-<name>-<host>-<pid>-<token>`, beside the
place where it will be. What a process left that is no longer alive is removed by `sweep`.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brainseg.files.atomic import flush_to_disk, host, is_left_behind, not_written

PARTIAL = "partial"
_NAME = re.compile(r"\.(?P<kind>[a-z]+)-(?P<name>.+)-(?P<host>[^-]+)-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})")
_in_use: set[Path] = set()  # of this process


@contextmanager
def new_folder(target: str | Path) -> Iterator[Path]:
    """A temporary folder beside `target` to fill; moved to `target` at the end, removed on any failure.

    Nothing that is there is ever replaced: `target` must not exist by the end, or be an empty folder.

    Raises:
        FileExistsError: `target` holds something, perhaps of another process that was first; it is as it was.
        ImageError: The disk is full, or the place may not be written to.
    """
    target = Path(target)
    with temporary_folder(target) as folder:
        yield folder
        flush(folder)
        _move(folder, target)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A new empty folder beside `target`, removed at the end if it is still there.

    Raises:
        ImageError: The disk is full, or the place may not be written to.
    """
    folder = beside(target, PARTIAL)
    with in_use(folder):
        try:
            with _explained(target):
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir()
            yield folder
        except FileExistsError:  # the target has been there: the caller's to judge
            raise
        except OSError as error:
            # Only faults of the place written to are explained; one of what the caller read stays its own.
            of_ours = error.filename is None or str(error.filename).startswith(str(folder))
            if of_ours and (explained := not_written(target, error)):
                raise explained from error
            raise
        finally:
            _remove(folder)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_written(target, error) or error from error


def beside(target: Path, kind: str) -> Path:
    """A name beside `target` that is not taken, and by which `left_behind` knows whose it is."""
    token = secrets.token_hex(4)
    return target.parent / f".{kind}-{target.name}-{host()}-{os.getpid()}-{token}"


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """While this lasts, this process does not take the folder for one left behind under its own number."""
    key = folder.absolute()
    _in_use.add(key)
    try:
        yield
    finally:
        _in_use.discard(key)


def sweep(parent: str | Path) -> list[Path]:
    """Remove the unfinished folders in `parent` whose processes are dead; those of live ones stay.

    Returns:
        The folders that were removed.
    """
    dead = [folder for folder, _ in left_behind(Path(parent), PARTIAL)]
    for folder in dead:
        _remove(folder)
    return dead


def left_behind(parent: Path, kind: str) -> list[tuple[Path, str]]:
    """Folders named by `beside` whose process is dead, each with the name of its target."""
    found = []
    for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
        named = _NAME.fullmatch(folder.name)
        if not named or named["kind"] != kind or folder.is_symlink() or not folder.is_dir():
            continue
        if _is_dead(folder, named["host"], int(named["pid"])):
            found.append((folder, named["name"]))
    return found


def flush(folder: Path) -> None:
    """Every file in it to the disk, so that a folder that is there after a power failure is whole."""
    for path in folder.rglob("*"):
        if path.is_file():
            flush_to_disk(path)


def _is_dead(folder: Path, made_on: str, pid: int) -> bool:
    if made_on == host() and pid == os.getpid():
        return folder.absolute() not in _in_use  # of an earlier process with the same number
    return is_left_behind(folder, made_on, pid)


def _move(folder: Path, target: Path) -> None:
    """The system refuses to put a folder onto one that holds anything, whoever came first."""
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and target.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(target)) from error
        raise


def _remove(folder: Path) -> None:
    """The only place where a whole folder is removed: its name says that it is a temporary one of ours."""
    assert _NAME.fullmatch(folder.name), folder
    shutil.rmtree(folder, ignore_errors=True)
