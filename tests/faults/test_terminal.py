"""Names of files and folders that hold escape codes, markup, line ends or bytes that are no text."""

import ast
import logging
import logging.config
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import brainseg
from brainseg.commands.cli import app
from brainseg.commands.main import _one_line_errors
from brainseg.config.errors import UserError
from brainseg.images import nifti
from brainseg.images.layouts import find_subjects
from brainseg.images.volume import Grid
from brainseg.prediction.run import _print_summary
from brainseg.results.parts import Judgement, Status
from brainseg.results.result import Result
from brainseg.system.terminal import say, shown

# Turns the text red, names the window, clears the screen, and forges a line; [bold] is rich's markup.
EVIL = "\x1b[31mred\x1b]0;title\x07\x1b[2J\x9b1m[bold]x[/]\r\nok"
TAME = r"\x1b[31mred\x1b]0;title\x07\x1b[2J\x9b1m[bold]x[/]\r\nok"
NAME = "\x1b[31m[bold]x[link=a]\n"  # no slash, so that a file may be called so
TAME_NAME = r"\x1b[31m[bold]x[link=a]\n"


def test_what_a_terminal_would_obey_is_written_out_and_all_else_is_left():
    assert shown(EVIL) == TAME
    assert shown("a\u202egpj.exe") == r"a\u202egpj.exe"  # would read exe.jpg
    assert shown(b"caf\xe9".decode(errors="surrogateescape")) == r"caf\udce9"
    assert shown("Köln 東京 ok-1_2 [T1] \\n") == "Köln 東京 ok-1_2 [T1] \\n"


def test_lines_are_printed_each_on_its_own_whatever_their_bytes(capsys):
    say("a\nb", Path("c\udce9"))
    say("d\x1b", error=True)
    printed = capsys.readouterr()
    assert printed.out == "a\\nb\nc\\udce9\n"
    assert printed.err == "d\\x1b\n"


def test_an_error_is_one_line_in_both_kinds_of_command(capsys, tmp_path):
    def fails():
        raise UserError(f"{EVIL}: no such file")

    with pytest.raises(SystemExit):
        _one_line_errors(fails)
    assert capsys.readouterr().err == f"error: {TAME}: no such file\n"
    done = CliRunner().invoke(app, ["verify", str(tmp_path / NAME)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {tmp_path}/{TAME_NAME}")
    assert done.stderr.count("\n") == 1


def test_log_lines_are_tame_after_logging_is_configured_anew(tmp_path):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": str(tmp_path / "log"),
                    "formatter": "plain",
                }
            },
            "root": {"level": "INFO", "handlers": ["file"]},
        }
    )
    try:
        logging.getLogger("brainseg").warning("%s failed: %s", NAME, EVIL)
        assert (tmp_path / "log").read_text() == f"WARNING {TAME_NAME} failed: {TAME}\n"
    finally:
        logging.getLogger().handlers.clear()


def test_a_warning_about_a_folder_names_it_tamely(tmp_path, caplog):
    folder = tmp_path / NAME
    nifti.write(folder / "a_t1.nii.gz", np.arange(27.0).reshape(3, 3, 3), Grid((3, 3, 3), np.eye(4)))
    (folder / "b").write_bytes(bytes(128) + b"DICM")
    assert [subject.id for subject in find_subjects(folder)] == ["a"]
    (record,) = caplog.records
    reason = "its DICOM header has no SeriesInstanceUID; fetch it again or move it away"
    assert record.getMessage() == f"{tmp_path}/{TAME_NAME}/b: left out: {reason}"


def test_the_summary_of_a_prediction_shows_names_as_they_are(capsys):
    result = Result(NAME, Status.failed, Judgement.fail, error=f"{EVIL} is empty")
    _print_summary([result], 0, Path("out[bold]"))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "x[link=a]" in printed
    assert f"{TAME_NAME}: {TAME} is empty\n" in printed
    assert "results in out[bold], a folder for each subject\n" in printed


def test_a_table_of_scores_shows_names_as_they_are(tmp_path):
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    for folder in ("truth", "guess"):
        nifti.write(tmp_path / folder / f"{NAME}_brainmask.nii.gz", mask, Grid((4, 4, 4), np.eye(4)))
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "truth"), str(tmp_path / "guess")])
    assert "\x1b" not in done.output
    assert TAME_NAME in done.output


def test_nothing_but_the_terminal_module_prints():
    root = Path(brainseg.__file__).parent
    printing = {
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in PRINTERS
        and path.name != "terminal.py"
        and "standalone" not in path.parts  # of an exported model, which has no brainseg
    }
    assert printing == set()


PRINTERS = {
    "print",
    "typer.echo",
    "typer.secho",
    "click.echo",
    "Console",
    "sys.stdout.write",
    "sys.stderr.write",
}
