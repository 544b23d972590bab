"""Files that are there whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brainseg.config.errors import ImageError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ENTRY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; moved onto it at the end, removed on any failure.

    So a stopped run never leaves half a file, and an old file is replaced only by a whole new one. The
    temporary name keeps the extension, by which many writers choose the format, and begins with a dot,
    so that no reader of folders takes it for data. Folders are made as needed.

    Raises:
        ImageError: The disk is full, or the folder may not be written to.
    """
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(4)}.{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if explained := not_written(path, error):
            raise explained from error
        raise
    finally:
        with suppress(OSError):  # it is gone after a success, and may never have been made
            temporary.unlink()


def flush_to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def not_written(path: Path, error: OSError) -> ImageError | None:
    """Why the place of `path` could not be written to; None for a fault of anything else."""
    if error.errno in _NO_ROOM:
        return ImageError(_no_room(path, error))
    if error.errno in _NO_ENTRY:
        return ImageError(f"{path}: cannot be written, {_reason(error)}; choose another folder")
    return None


def _no_room(path: Path, error: OSError) -> str:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free_mb = shutil.disk_usage(folder).free / 1e6
    return (
        f"{path}: not written, {_reason(error)} ({free_mb:.0f} MB free there); "
        "make room or choose another folder, nothing half-written was left"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
