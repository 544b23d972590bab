"""The program that goes with an exported model, as one file."""

import ast
from pathlib import Path

from brainseg.export import standalone

MODULES = (
    "voxels",
    "preparing",
    "networks",
    "outlining",
    "naming",
    "voting",
    "run",
)  # each uses those before it; the last one is the program
_OURS = "brainseg"


def joined() -> str:
    """The modules of `standalone` one behind the other: the last one's docstring, all imports, then the rest.

    Imports of the modules among themselves fall away.
    """
    sources = [(Path(standalone.__path__[0]) / f"{name}.py").read_text(encoding="utf-8") for name in MODULES]
    parts = [_parts(source) for source in sources]
    imports = sorted(
        {line for _, lines, _ in parts for line in lines}, key=lambda line: (line.startswith("from"), line)
    )
    return "\n\n".join([parts[-1][0], "\n".join(imports), *(body for *_, body in parts)]) + "\n"


def _parts(source: str) -> tuple[str, list[str], str]:
    """The docstring of a module, the imports at its top, one name each, and what follows them."""
    lines = source.splitlines()
    docstring, *statements = ast.parse(source).body
    top = [one for one in statements if isinstance(one, ast.Import | ast.ImportFrom)]
    kept = [one for one in top if not (isinstance(one, ast.ImportFrom) and str(one.module).startswith(_OURS))]
    single = [ast.unparse(_alone(one, alias)) for one in kept for alias in one.names]
    return _text(lines, docstring), single, "\n".join(lines[top[-1].end_lineno or 0 :]).strip("\n")


def _alone(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(statement, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(statement.module, [alias], statement.level)


def _text(lines: list[str], node: ast.stmt) -> str:
    return "\n".join(lines[node.lineno - 1 : node.end_lineno])
