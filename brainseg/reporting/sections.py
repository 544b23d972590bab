"""A page of sections: text, tables and pictures, the same in HTML and in Markdown."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from brainseg.files.atomic import NO_TEXT, writing
from brainseg.reporting.page import write_page
from brainseg.reporting.tables import markdown_table

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Entry:
    """What stands in a cell of a table."""

    text: str
    beside: str = ""  # in small type below it, with a new line at each "; "; in Markdown after it
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


@dataclass(frozen=True)
class Picture:
    source: Markup  # of an <img>
    caption: str


@dataclass(frozen=True)
class Section:
    title: str = ""
    warning: str = ""
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class WrittenPage:
    """A page, and what the command that wrote it says."""

    lines: tuple[str, ...]
    path: Path


def write_sections(folder: Path, name: str, title: str, sections: Sequence[Section]) -> Path:
    """Write <name>.html and <name>.md, which leaves the pictures out; gives the path of the HTML page."""
    page = folder / f"{name}.html"
    write_page(page, "sections", title=title, sections=sections)
    with writing(folder / f"{name}.md") as temporary:
        temporary.write_text(_markdown(title, sections, page.name), encoding="utf-8", errors=NO_TEXT)
    return page


def _as_markdown(entry: Entry) -> str:
    text, beside = html.escape(entry.text, quote=False), html.escape(entry.beside, quote=False)
    text = f"**{text}**" if entry.mark == "best" else text
    return f"{text} ({beside})" if beside else text


def table_of(title: str, header: Sequence[str], rows: Iterable[Sequence[str | Entry]]) -> Table:
    entries = [tuple(Entry(item) if isinstance(item, str) else item for item in row) for row in rows]
    return Table(title, tuple(header), tuple(entries))


def settings_section(runs: Sequence[tuple[str, Mapping[str, str]]]) -> Section:
    """The settings of runs side by side, from pairs of name and settings."""
    names = list(dict.fromkeys(name for _, settings in runs for name in settings))
    rows = [[name, *(settings.get(name, NOTHING) for _, settings in runs)] for name in names]
    return Section(
        "Settings", tables=[table_of("As the runs had them", ("", *(run for run, _ in runs)), rows)]
    )


def number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def _markdown(title: str, sections: Sequence[Section], page: str) -> str:
    blocks = [f"# {_escaped(title)}"]
    for section in sections:
        blocks += [f"## {section.title}"] if section.title else []
        blocks += [f"> **{_escaped(section.warning)}**"] if section.warning else []
        blocks += [_escaped(paragraph) for paragraph in section.paragraphs]
        blocks += ["\n".join(f"- {_escaped(point)}" for point in section.points)] if section.points else []
        blocks += [table.as_markdown().rstrip() for table in section.tables]
        blocks += [f"{len(section.pictures)} figures: see {page}."] if section.pictures else []
    return "\n\n".join(blocks) + "\n"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)  # Markdown lets HTML through
