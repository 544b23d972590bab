"""What the site takes from the code, and the check that its pages load nothing from a network."""

import html
import json
import re
from pathlib import Path
from typing import Any

import click
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from brainseg.commands.cli import app
from brainseg.config.builtin import FOLDER, builtin_file, builtin_tasks
from brainseg.config.reference import config_reference

# What a browser fetches by itself: scripts, pictures, styles and fonts, not the links that a reader follows.
_ADDRESS = r"""=["']?(?:https?:)?//[^"'> ]+"""
_FETCHED = re.compile(
    rf"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc{_ADDRESS}"
    rf"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref{_ADDRESS}"""
)

NOTEBOOK = "how-to/python.ipynb"

MODELS_HEAD = """# Models

The cards of the models that come with brainseg, as `brainseg card` has written them:
[what they are for, and how to write such a card](../how-to/models.md).
"""

CONFIG_HEAD = """# Configuration

Every key that `train.py` and `predict.py` take, as `key=value`. `python train.py --help` and
`python predict.py --help` show the same keys with their values.

"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated: commands, keys of the configuration, cards, the notebook."""
    files.append(File.generated(config, "reference/commands.md", content=commands_reference()))
    files.append(File.generated(config, "reference/config.md", content=CONFIG_HEAD + config_reference()))
    files.append(File.generated(config, "reference/models.md", content=models_reference()))
    for picture in sorted(FOLDER.glob("*.png")):
        files.append(File.generated(config, f"reference/{picture.name}", content=picture.read_bytes()))
    notebook = Path(config.docs_dir, NOTEBOOK)
    files.append(File.generated(config, NOTEBOOK.replace(".ipynb", ".md"), content=notebook_page(notebook)))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a page that would load something from a network."""
    for page in sorted(Path(config.site_dir).rglob("*.html")):
        if fetched := _FETCHED.search(page.read_text()):
            raise PluginError(f"{page}: would load {fetched.group()[:200]}; keep a copy of it under docs/")


def models_reference() -> str:
    """The cards of the models that come with brainseg, one below the other."""
    cards = [builtin_file(task).with_suffix(".md").read_text() for task in builtin_tasks()]
    return "\n".join([MODELS_HEAD, *(re.sub(r"^#", "##", card, flags=re.MULTILINE) for card in cards)])


def notebook_page(path: Path) -> str:
    """The cells of a notebook as Markdown, after its heading a link to the file itself."""
    cells = json.loads(path.read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    parts = [
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    ]
    parts.insert(1, f"Download this page as a [notebook]({path.name}).")
    return "\n\n".join(parts)


def commands_reference() -> str:
    """The `brainseg` command and all below it as Markdown: what each does, its arguments and options."""
    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "`train.py` and `predict.py` in a checkout are the same as `brainseg train` and `brainseg predict`. "
        "Their settings are `key=value`; [Configuration](config.md) lists all of them.",
        "",
        _help(root),
    ]
    return "\n".join([*lines, *_commands_of(root, "brainseg")])


def _commands_of(group: Any, path: str) -> list[str]:
    lines: list[str] = []
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        context = click.Context(command, info_name=f"{path} {name}")
        if hasattr(command, "commands"):
            lines += ["", f"## {path} {name}", "", _help(command), *_commands_of(command, f"{path} {name}")]
        else:
            lines += ["", f"## {path} {name}", "", _help(command), *_usage(command, context)]
    return lines


def _help(command: Any) -> str:
    return str(command.help or "").strip()


def _usage(command: Any, context: Any) -> list[str]:
    usage = command.get_usage(context).removeprefix("Usage: ")
    rows = [record for one in command.params if (record := one.get_help_record(context))]
    if not rows:
        return []  # train and predict: key=value, which their help says
    table = [f"| <code>{_cell(name)}</code> | {_cell(meaning)} |" for name, meaning in rows]
    return ["", f"    {usage}", "", "| option | meaning |", "| --- | --- |", *table]


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split())).replace("|", "&#124;")
