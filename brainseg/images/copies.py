"""Whether two files hold the same bytes, packed or not."""

import gzip
import zlib
from pathlib import Path
from typing import IO, cast

_PIECE = 2**20  # bytes


def are_equal(one: Path, other: Path) -> bool:
    """Whether two files are equal once they are unpacked: X.nii and X.nii.gz may be.

    Empty files, and files that cannot be read, are equal to none.
    """
    try:
        if not (one.is_file() and other.is_file() and one.stat().st_size and other.stat().st_size):
            return False
        with _unpacked(one) as first, _unpacked(other) as second:
            while True:
                piece = first.read(_PIECE)
                if piece != second.read(_PIECE):
                    return False
                if not piece:
                    return True
    except (OSError, EOFError, zlib.error):
        return False


def _unpacked(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else open(path, "rb")
