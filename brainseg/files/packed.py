"""gzip by ISA-L: what Python's own zlib does at levels 1 to 6, in a tenth of the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from isal import igzip, isal_zlib

LEVEL = 2  # of 0 to 3; the level above is slower, and packs masks and scans no better
SMALLEST = 3  # for text


def packed(content: bytes, level: int = LEVEL) -> bytes:
    """Content as gzip, the same bytes for the same content."""
    return igzip.compress(content, level, mtime=0)


def unpacked(content: bytes) -> bytes:
    """What gzip holds.

    Raises:
        ValueError: It is damaged, or no gzip.
    """
    try:
        return bytes(igzip.decompress(content))
    except (OSError, EOFError, isal_zlib.error) as error:  # type: ignore[misc]  # its stub has it as a function
        raise ValueError(f"the gzip content is damaged ({error})") from error


@contextmanager
def packing(path: Path) -> Iterator[IO[Any]]:
    """A file to write to whose content is packed; neither its name nor the time is stored in it."""
    with open(path, "wb") as file, igzip.IGzipFile("", "wb", LEVEL, file, mtime=0) as content:
        yield cast("IO[Any]", content)
