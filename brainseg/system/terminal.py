"""The one way to the terminal, on which a name is only shown: nothing in it is carried out.

The name of a file may hold escape codes that move the cursor or change the screen, ends of lines, marks that
turn the direction of reading, bytes that are no text, and [words] that rich takes for markup.
"""

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from brainseg.config.errors import USAGE_ERROR
from brainseg.system.pseudonyms import current, hide

# Control characters, marks that turn the direction of reading or end a line, and halves of characters, which
# is what Python makes of bytes that are no text.
Item = TypeVar("Item")
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: object) -> str:
    r"""One line, with all that a terminal would obey written out, e.g. as \x1b, and names as they may be."""
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), hide(str(text)))


def say(*lines: object, error: bool = False) -> None:
    """Print lines on stdout, or on stderr; nothing where there is none."""
    if not lines:
        return
    print("\n".join(shown(line) for line in lines), file=sys.stderr if error else sys.stdout, flush=True)


def exit_with_error(message: object) -> NoReturn:
    """End the command with one line that says what the user can mend."""
    say(f"error: {message}", error=True)
    sys.exit(USAGE_ERROR)


def cell(text: object, style: str = "") -> Text:
    """The text of a table's cell."""
    return Text(shown(text), style)


def console(width: int | None = None) -> Console:
    """For tables: no string is markup, so colours are given by `cell`."""
    return Console(width=width, markup=False, highlight=False)


def show(table: Table) -> None:
    """Print a table. Its lines are cut or wrapped for a terminal only: in a file they stay whole."""
    console(width=None if sys.stdout.isatty() else 10_000).print(table)


def followed(items: Iterable[Item], about: str, total: int | None = None) -> Iterator[Item]:
    """The items one by one, with a bar while they are worked on; in a pipe or a file there is none.

    Args:
        items: Of a known length, unless `total` is given.
        about: What is done, as "hashing slices".
        total: How many items there are.
    """
    return iter(track(items, shown(about), total, transient=True, disable=not sys.stdout.isatty()))


class ShownInLog(logging.Filter):
    """Makes the message of every record one line that no terminal obeys; records are never dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Format the message for all handlers, those of the terminal and those of files."""
        record.msg, record.args = shown(record.getMessage()), ()
        if record.exc_info and current() is not None:
            record.exc_text = hide(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


# A logger's filters, unlike its handlers, stay when Hydra configures logging.
for _name in ("brainseg", "pydicom", "nibabel", "py.warnings"):
    logging.getLogger(_name).addFilter(ShownInLog())
