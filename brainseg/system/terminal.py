"""The one way to the terminal: what the name of a file or folder holds is shown there, never obeyed.

A name may hold escape codes that move the cursor or rewrite what stands on the screen, a line's end, letters
that turn the direction of reading, bytes that are no text, and [words] that rich takes for markup.
"""

import logging
import re
import sys

from rich.console import Console
from rich.text import Text

# Control characters, marks that turn the direction of reading or end a line, and halves of characters, which
# is what Python makes of bytes that are no text.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: object) -> str:
    r"""One line, with all that a terminal would obey written out, e.g. as \x1b."""
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), str(text))


def say(*lines: object, error: bool = False) -> None:
    """Print lines on stdout, or on stderr."""
    print("\n".join(shown(line) for line in lines), file=sys.stderr if error else sys.stdout, flush=True)


def cell(text: object, style: str = "") -> Text:
    """The text of a table's cell."""
    return Text(shown(text), style)


def console(width: int | None = None) -> Console:
    """For tables: no string is markup, so colours are given by `cell`."""
    return Console(width=width, markup=False, highlight=False)


class ShownInLog(logging.Filter):
    """Makes the message of every record one line that no terminal obeys; records are never dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Format the message for all handlers, those of the terminal and those of files."""
        record.msg, record.args = shown(record.getMessage()), ()
        return True


# A logger's filters, unlike its handlers, stay when Hydra configures logging.
logging.getLogger("brainseg").addFilter(ShownInLog())
