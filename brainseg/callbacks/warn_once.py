"""A picture that cannot be drawn never stops a training: there is one warning."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("brainseg")


class WarnOnce:
    """Turns the failures of what runs `within` it into one warning."""

    def __init__(self) -> None:
        self.warned = False

    @contextmanager
    def within(self, what: str) -> Iterator[None]:
        """Run the block; `what` names the thing that is missing if it fails."""
        try:
            yield
        except Exception as error:  # a full disk or a broken plot: days of training are worth more
            if not self.warned:
                log.warning(
                    "%s could not be drawn, training goes on without: %s: %s",
                    what,
                    type(error).__name__,
                    error,
                )
            self.warned = True
