"""A table of the page, the same in HTML and in Markdown."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from brainseg.reporting.grid.intervals import Estimate
from brainseg.reporting.tables import markdown_table

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Entry:
    """What stands in a cell of a table."""

    text: str
    beside: str = ""  # in small type below it, a line for each part between "; "; in Markdown after it
    mark: str = ""  # "best" or "bad"


@dataclass(frozen=True)
class Table:
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]

    def as_markdown(self) -> str:
        """With names escaped: Markdown lets HTML through."""
        rows = [[_as_markdown(entry) for entry in row] for row in self.rows]
        return f"**{self.title}**\n\n{markdown_table(rows, self.header)}"


def _as_markdown(entry: Entry) -> str:
    text, beside = html.escape(entry.text, quote=False), html.escape(entry.beside, quote=False)
    text = f"**{text}**" if entry.mark == "best" else text
    return f"{text} ({beside})" if beside else text


def table_of(title: str, header: Sequence[str], rows: Iterable[Sequence[str | Entry]]) -> Table:
    entries = [tuple(Entry(item) if isinstance(item, str) else item for item in row) for row in rows]
    return Table(title, tuple(header), tuple(entries))


def number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def interval(estimate: Estimate) -> str:
    """Its bounds, or "" where it has none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.4f} to {estimate.high:.4f}"
