"""A closed standard output costs a command its words, and nothing else."""

import os
import subprocess
import sys

import pytest

from brainseg.system.streams import Unread

GUARDED = "import sys\nfrom brainseg.system.process import command\nwith command():\n    "


def python(body, redirected):
    """Exit code and standard error of `body`, run guarded by a shell with this redirection."""
    line = f'"$PYTHON" -c "$CODE" {redirected}'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        env=os.environ | {"PYTHON": sys.executable, "CODE": GUARDED + body},
        stderr=subprocess.PIPE,
        timeout=20,
    )
    return done.returncode, done.stderr.decode()


PRINTS = "[print('x' * 100, flush=True) for _ in range(10000)]; print('to the end', file=sys.stderr)"


@pytest.mark.parametrize("redirected", ["| head -1", "| true", ">&-", ">&- <&-"])
def test_whoever_no_longer_reads_ends_nothing(redirected):
    assert python(PRINTS, redirected) == (0, "to the end\n")


def test_all_three_may_be_closed_and_no_file_gets_what_is_printed(tmp_path):
    file = tmp_path / "file"
    body = (
        f"with open({str(file)!r}, 'w') as f: f.write('kept'); f.flush(); print('lost'); sys.stdout.flush(); "
        "import os; os.system('echo lost; echo lost >&2'); sys.stdout.isatty()"
    )
    assert python(body, "<&- >&- 2>&-")[0] == 0
    assert file.read_text() == "kept"


def test_the_exit_code_is_the_commands_own():
    assert python("print('x' * 100000, flush=True); sys.exit(3)", "| true") == (3, "")


def test_what_is_read_arrives_whole():
    done = subprocess.run(
        [sys.executable, "-c", GUARDED + "print('ä' * 100000); print('end')"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=20,
    )
    assert done.stdout.decode() == "ä" * 100000 + "\nend\n"


def test_a_full_disk_is_still_an_error():
    with Unread("/dev/full", "w") as full, pytest.raises(OSError, match="No space left"):
        full.write(b"x")
