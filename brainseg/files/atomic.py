"""Files that are there whole or not at all."""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from brainseg.config.errors import ImageError

# For so long a temporary file or folder of another machine stays, whose processes nobody can ask.
OLD_SECONDS = 7 * 24 * 3600.0

# How a name on the disk whose bytes are no text stands in a text: M\\udcfcller for Müller in Latin-1.
NO_TEXT = "backslashreplace"

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ENTRY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
_TEMPORARY = re.compile(r"\.writing-(?P<host>[^-]+)-(?P<pid>\d+)-[0-9a-f]{8}\..+")


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; moved onto it at the end, removed on any failure.

    So a stopped run never leaves half a file, and an old file is replaced only by a whole new one. The
    temporary name keeps the extension, by which many writers choose the format, begins with a dot, so that no
    reader of folders takes it for data, and says whose it is, so that `sweep_files` removes what a killed
    process left. Folders are made as needed.

    Raises:
        ImageError: The disk is full, or the folder may not be written to.
    """
    path = Path(path)
    temporary = path.parent / f".writing-{host()}-{os.getpid()}-{secrets.token_hex(4)}.{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        if explained := not_written(path, error):
            raise explained from error
        raise
    finally:
        with suppress(OSError):  # it is gone after a success, and may never have been made
            temporary.unlink()


def sweep_files(folder: Path) -> list[Path]:
    """Remove what processes that are dead have left half-written in a folder; that of live ones stays.

    Returns:
        The files that were removed.
    """
    dead = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        named = _TEMPORARY.fullmatch(path.name)
        if named and path.is_file() and is_left_behind(path, named["host"], int(named["pid"])):
            path.unlink(missing_ok=True)
            dead.append(path)
    return dead


def is_left_behind(path: Path, made_on: str, pid: int) -> bool:
    """Whether the process that made a temporary file or folder is dead; this process's own are in use."""
    if made_on != host():
        with suppress(OSError):  # it has just been moved into place
            return time.time() - path.stat().st_mtime > OLD_SECONDS
        return False
    return pid != os.getpid() and not psutil.pid_exists(pid)


def host() -> str:
    """This machine's name, as it stands in the names of temporary files and folders."""
    return re.sub(r"[^A-Za-z0-9.]", "_", platform.node()) or "unnamed"


def sha256(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """So that the new name of a file survives a power failure too; some file systems refuse."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def not_written(path: Path, error: OSError) -> ImageError | None:
    """Why the place of `path` could not be written to; None for a fault of anything else."""
    if error.errno in _NO_ROOM:
        return ImageError(_no_room(path, error))
    if error.errno in _NO_ENTRY:
        return ImageError(f"{path}: cannot be written, {_reason(error)}; choose another folder")
    return None


def free_mb(path: str | Path) -> float:
    """What is free on the disk of a file or folder, which need not be there yet."""
    path = Path(path).absolute()
    there = next(place for place in (path, *path.parents) if place.exists())
    return shutil.disk_usage(there).free / 1e6


def _no_room(path: Path, error: OSError) -> str:
    return (
        f"{path}: not written, {_reason(error)} ({free_mb(path):.0f} MB free there); "
        "make room or choose another folder, nothing half-written was left"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
