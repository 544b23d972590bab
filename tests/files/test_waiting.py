"""Processes and threads that wait for their turn: what they share is made once, and a death lets go."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from brainseg.data.cache import ArrayCache
from brainseg.files.waiting import one_at_a_time
from brainseg.phantom import keep_cohort


def test_threads_take_turns_and_leave_nothing(tmp_path):
    inside, most = [0], [0]

    def work(_):
        with one_at_a_time(tmp_path / "turn"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.005)
            inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_lets_go(tmp_path):
    code = (
        "import sys, time; from brainseg.files.waiting import one_at_a_time\n"
        "with one_at_a_time(sys.argv[1]): print('in', flush=True); time.sleep(60)"
    )
    turn = tmp_path / "turn"
    with subprocess.Popen([sys.executable, "-c", code, str(turn)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        with one_at_a_time(turn):
            assert turn.exists()
    assert not turn.exists()


def _forked(n, work):
    """Run work in n forked processes at once."""
    children = []
    for _ in range(n):
        if (child := os.fork()) == 0:
            try:
                work()
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def test_a_cold_entry_of_the_cache_is_made_once_by_processes_beside_each_other(tmp_path):
    made = tmp_path / "made"

    def make():
        with made.open("a") as file:
            file.write("x")
        time.sleep(0.3)
        return {"values": np.arange(3)}

    _forked(4, lambda: ArrayCache(tmp_path / "cache").get("0" * 32, make))
    assert made.read_text() == "x"
    assert not list((tmp_path / "cache").rglob(".*"))


def test_a_cohort_is_made_once_by_processes_beside_each_other(tmp_path, monkeypatch):
    from brainseg.phantom import keeping

    write, made = keeping.write_cohort, tmp_path / "made"

    def counted(*args, **settings):
        with made.open("a") as file:
            file.write("x")
        write(*args, **settings)

    monkeypatch.setattr(keeping, "write_cohort", counted)
    settings = {"layout": "nfbs", "subjects": 2, "seed": 0, "spacing_mm": 8.0}
    _forked(3, lambda: keep_cohort(tmp_path / "data" / "c", **settings))
    assert made.read_text() == "x"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["c"]
