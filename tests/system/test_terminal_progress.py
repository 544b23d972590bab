"""Work on many files shows a bar in a terminal, and nothing in a pipe."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

from brainseg.config.counted import counted, with_verb
from brainseg.evaluation import brains

ROOT = Path(__file__).resolve().parents[2]
SLOW = "import time\nfrom brainseg.system.terminal import followed\n"
SLOW += "print(sum(time.sleep(0.02) or n for n in followed(range(20), 'hashing [b]slices')))"


def test_nothing_but_the_result_is_written_to_a_pipe():
    done = subprocess.run([sys.executable, "-c", SLOW], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("190\n", "")


def test_a_terminal_shows_what_is_done():
    ours, its = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SLOW], cwd=ROOT, stdout=its, stderr=its) as process:
        os.close(its)
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:  # it has ended
                break
        assert process.wait(60) == 0
    assert b"slices" in said
    assert b"%" in said


def test_evaluations_are_followed(monkeypatch):
    seen = []
    monkeypatch.setattr(brains, "followed", lambda items, about: seen.append((len(items), about)) or items)
    monkeypatch.setattr(brains, "_pairs", lambda *_: iter([("a", Path("t"), Path("g"))] * 2))
    monkeypatch.setattr(brains, "_scored", lambda *_: brains.ScoredCase("a", Path("t"), None, {}, "no mask"))
    assert len(brains.evaluate_brains(Path("t"), Path("g")).cases) == 2
    assert seen == [(2, "scoring masks")]


def test_one_thing_is_no_several_things():
    assert [counted(n, "subject") for n in (0, 1, 2)] == ["0 subjects", "1 subject", "2 subjects"]
    assert counted(2, "copy", "copies") == "2 copies"
    assert with_verb(1, "slice", ("has", "have")) == "1 slice has"
    assert with_verb(3, "slice", ("has", "have")) == "3 slices have"
