"""What is logged of a piece of work, held back until its turn comes."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Made = TypeVar("Made")
_here = threading.local()  # `lines`, where what this thread logs is held back


class Lines:
    """What the threads that work on one piece have logged, in its order."""

    def __init__(self) -> None:
        self.records: list[tuple[logging.Handler, logging.LogRecord]] = []

    def of(self, work: Callable[[], Made]) -> Made:
        """What the work gives; meanwhile what this thread logs is held back."""
        _here.lines = self
        try:
            return work()
        finally:
            _here.lines = None

    def emit(self) -> None:
        """Give what was held back to the handlers that it was meant for."""
        records, self.records = self.records, []
        for handler, record in records:
            handler.handle(record)


@contextmanager
def held_back() -> Iterator[None]:
    """While this lasts, `Lines` take what is logged; the lines of other threads are written as ever."""
    holding = [(handler, _Holding(handler)) for handler in logging.getLogger().handlers]
    for handler, one in holding:
        handler.addFilter(one)
    try:
        yield
    finally:
        for handler, one in holding:
            handler.removeFilter(one)


class _Holding(logging.Filter):
    """Keeps the records of a thread whose lines are held back from a handler."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        lines: Lines | None = getattr(_here, "lines", None)
        if lines is not None:
            lines.records.append((self._handler, record))
        return lines is None
