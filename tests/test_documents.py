"""Documents name what is there: links, cited pages, rooms. A page that loads from a network is refused."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
CITED = re.compile(r"\bdocs/[\w./-]+\.(?:md|png|svg)\b")
BY_DATE = re.compile(r"docs/[\w/-]+\.md,? \(?\d{4}-\d\d")


@pytest.fixture(scope="module")
def hooks():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts():
    """Every file of ours that may cite a page, but for this one."""
    for folder in ("brainseg", "conf", "tests", "benchmarks", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".md", ".html") and path != Path(__file__).resolve():
                yield path
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_outside_the_site_lead_to_files(name):
    """`make docs` checks those within docs/."""
    targets = LINK.findall((ROOT / name).read_text())
    generated = {"docs/reference/commands.md", "docs/reference/config.md", "docs/reference/models.md"}
    missing = [one for one in targets if "://" not in one and not (ROOT / one).exists()]
    assert not set(missing) - generated
    assert name == "CHANGELOG.md" or len(targets) >= 5


def test_every_page_that_is_cited_exists_and_none_is_cited_by_its_date():
    cited = {(path, page) for path in texts() for page in CITED.findall(path.read_text())}
    assert {page for _, page in cited} >= {"docs/experiments/gates.md", "docs/decisions/0004-precision.md"}
    assert [one for one in cited if not (ROOT / one[1]).exists()] == []
    assert [path for path in texts() if BY_DATE.search(path.read_text())] == []


def test_the_readme_fits_on_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_drawn_rooms_are_the_layers_of_the_imports_in_their_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    rooms = [room.strip() for layer in layers for room in re.split(r"[|:]", layer)]
    drawn = re.findall(r'font-weight="bold"[^>]*>(\w+)<', (ROOT / "docs/pictures/rooms.svg").read_text())
    assert [name for name in drawn if name in rooms] == rooms


def test_the_page_of_commands_names_each_with_its_options(hooks):
    page = hooks.commands_reference()
    for command in ("train", "predict", "demo", "phantom", "verify", "reproduce", "evaluate", "view", "bids"):
        assert f"## brainseg {command}\n" in page
    assert "| <code>--protocol &lt;brats-legacy&#124;brats-2023&#124;brats-2026&gt;</code> |" in page


@pytest.mark.parametrize(
    ("html", "refused"),
    [
        ('<script src="https://unpkg.com/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example.org/css">', True),
        ("<link href=https://fonts.example.org rel=preconnect>", True),
        ('<img alt="x" src="https://example.org/x.png">', True),
        ('<a href="https://example.org">a link that a reader follows</a>', False),
        ('<link rel="canonical" href="https://example.org/page"><img src="../x.png">', False),
    ],
)
def test_a_built_page_that_would_load_from_a_network_is_refused(hooks, tmp_path, html, refused):
    from mkdocs.exceptions import PluginError

    (tmp_path / "page.html").write_text(html)
    config = type("Config", (), {"site_dir": str(tmp_path)})
    if refused:
        with pytest.raises(PluginError, match=r"page\.html: would load"):
            hooks.on_post_build(config)
    else:
        hooks.on_post_build(config)
