"""`brainseg verify` of all results: the table and the page beside them count as well."""

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.prediction.run import run
from brainseg.results.sums import SUMS


@pytest.fixture
def output(coarse_heads, predict_options, tmp_path) -> Path:
    """Two results with table and page."""
    assert run(predict_options(coarse_heads, "page=true")) == 0
    return tmp_path / "out"


def verified(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", str(folder)])
    return done.exit_code, done.output


def test_nothing_has_changed(output):
    code, said = verified(output)
    assert (code, "nothing has changed in 2 results" in said) == (0, True)
    assert verified(output / "sub-001")[0] == 0


@pytest.mark.parametrize("name", ["volumes.csv", "index.html"])
def test_a_changed_or_missing_table_or_page_is_named(output, name):
    with (output / name).open("a") as file:
        file.write(" ")
    assert verified(output) == (1, f"{output / name}: has changed\n")
    (output / name).unlink()
    assert verified(output) == (1, f"{output / name}: is not there any more\n")


def test_a_subject_that_is_gone_or_made_anew_behind_the_table_s_back_is_named(output):
    shutil.rmtree(output / "sub-001")
    assert verified(output) == (1, f"{output / 'sub-001' / SUMS}: is not there any more\n")


def test_a_table_whose_sums_are_gone_is_said_to_be_open(output):
    (output / SUMS).unlink()
    code, said = verified(output)
    assert code == 1
    assert f"{output / 'volumes.csv'}: may have changed, there is no {SUMS} beside it" in said


def test_the_sums_are_those_of_coreutils(output):
    checked = subprocess.run(
        ["sha256sum", "-c", SUMS], cwd=output, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 5  # two tables, index.html, and the sums of two subjects


def test_a_page_that_a_later_run_does_not_write_is_still_covered(coarse_heads, predict_options, output):
    with (output / "index.html").open("a") as file:
        file.write(" ")
    assert run(predict_options(coarse_heads, "page=false", "overwrite=true")) == 0
    assert verified(output) == (1, f"{output / 'index.html'}: is not of these results\n")
