"""Tables as Markdown text."""

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """A Markdown table whose columns also line up in a text editor. Numbers are aligned to the right.

    Floats have three decimals; None and NaN become an en dash.

    Raises:
        ValueError: A row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row has {len(row)} cells, the header has {len(header)}: {list(row)}")
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    widths = [max(3, *(len(line[i]) for line in [list(header), *cells])) for i in range(len(header))]
    rule = [
        ("-" * (width - 1) + ":") if right else "-" * width
        for width, right in zip(widths, numeric, strict=True)
    ]
    lines = [list(header), rule, *cells]
    return "\n".join(_line(line, widths, numeric) for line in lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN is not equal to itself
        return "\N{EN DASH}"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
