"""What each of our commands runs within, from its first import on."""

from collections.abc import Iterator
from contextlib import contextmanager

from brainseg.system.busy import note_begin
from brainseg.system.signals import stoppable
from brainseg.system.streams import outlive_readers


@contextmanager
def command() -> Iterator[None]:
    """Ended by a signal in one line and with its exit code, and by no pipe that was closed."""
    note_begin()
    outlive_readers()
    with stoppable():
        yield
