"""Standard output and error that a command outlives: closed from the start, or closed by their reader."""

import errno
import io
import os
import sys
from typing import Any, TextIO

_GONE = {errno.EPIPE, errno.EIO}  # the reader of a pipe has ended; the terminal was closed


class Unread(io.FileIO):
    """A file to write to that goes on as /dev/null once nobody reads it any more."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            _to_nowhere(self.fileno())
            return len(data)


def outlive_readers() -> None:
    """Let no output that nobody reads end this process: `train >&-`, `train | head -1`.

    Descriptors 0 to 2 that are closed are opened on /dev/null first: the next file to be opened would get
    their number, and with it what was meant to be printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if stream is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115 - open as long as the process is
        elif name != "stdin":
            setattr(sys, name, _outliving(stream))


def _outliving(stream: TextIO) -> io.TextIOWrapper:
    """The same descriptor and settings as the stream has, but for the write that finds no reader."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Unread(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=getattr(stream, "line_buffering", False),
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
