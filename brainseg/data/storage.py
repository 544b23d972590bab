"""The error where something that was made cannot be written."""

import errno
from pathlib import Path

from brainseg.config.errors import ImageError, StorageError
from brainseg.files.atomic import free_mb


def not_kept(folder: Path, error: OSError | ImageError, key: str) -> StorageError:
    """One line with the folder, the reason, its free space and the mend.

    Args:
        folder: Where it was to be kept.
        error: The system's, or what `brainseg.files.atomic` has made of it.
        key: The config's key that sets the folder.
    """
    closed = _cause(error).errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    mend = "make it writable" if closed else "make room there"
    why = f"{reason(error)} ({free_mb(folder):.0f} MB free)"
    return StorageError(f"{folder}: cannot be written, {why}; {mend}, or set {key}=DIR")


def reason(error: OSError | ImageError) -> str:
    """The system's reason; NumPy gives none for a full disk."""
    return (_cause(error).strerror or "the disk took only a part of it").lower()


def _cause(error: OSError | ImageError) -> OSError:
    cause = error.__cause__ if isinstance(error, ImageError) else error
    return cause if isinstance(cause, OSError) else OSError(str(error))
