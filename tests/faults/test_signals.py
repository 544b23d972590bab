"""A command that is stopped from outside ends in one line, with exit code 128 + the signal's number."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from brainseg.system.signals import stoppable

SAYS = {signal.SIGINT: "Ctrl+C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@contextmanager
def begun(body, *, before="", **settings):
    """A Python process that runs `body` guarded, once it has called ready()."""
    code = f"import os, signal, sys, time\n{before}\nfrom brainseg.system.process import command\n"
    code += "with command():\n"
    code += "".join(
        f"    {line}\n" for line in ["ready = lambda: os.write(1, b'ready\\n')", *body.splitlines()]
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", list(SAYS))
def test_a_signal_ends_a_command_in_one_line_with_128_and_its_number(number):
    with begun("ready(); time.sleep(60)") as process:
        process.send_signal(number)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 128 + number
    assert len(said.splitlines()) == 1
    assert said.startswith(f"stopped by {SAYS[number]}")


def test_what_a_library_makes_of_the_signal_does_not_matter():
    body = "try:\n    ready(); time.sleep(60)\nexcept BaseException:\n    raise ImportError('numpy failed')"
    with begun(body) as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[1] == "stopped by Ctrl+C\n"
    assert process.returncode == 130


def test_the_second_ctrl_c_ends_at_once_but_a_copy_of_the_first_does_not():
    body = "try:\n    ready(); time.sleep(60)\nfinally:\n    print('saving', flush=True)\n    time.sleep(60)"
    with begun(body) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "saving\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130


def test_a_second_sigterm_does_not_cut_the_saving_short():
    body = "try:\n    ready(); time.sleep(60)\n"
    body += "finally:\n    print('saving', flush=True)\n    time.sleep(2)\n    print('saved')"
    with begun(body) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "saving\n"
        time.sleep(0.8)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=10)[0] == "saved\n"
    assert process.returncode == 143


def test_a_second_ctrl_c_reaches_a_process_that_is_deep_in_a_librarys_code():
    # While the lock waits for itself no handler written in Python runs: pthread_mutex_lock begins anew.
    body = "import ctypes\nlibc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\nready()\n"
    body += "libc.pthread_mutex_lock(lock)\nlibc.pthread_mutex_lock(lock)"
    with begun(body) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.8)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130


def test_nohup_holds():
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with begun("ready(); time.sleep(1)", before=before) as process:
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=10) == 0


def test_without_a_signal_the_exit_code_and_the_error_are_the_commands_own():
    with begun("ready(); sys.exit(3)") as process:
        assert process.wait(timeout=10) == 3
    with begun("ready(); raise ValueError('a bug')") as process:
        assert "ValueError: a bug" in process.communicate(timeout=10)[1]
    assert process.returncode == 1


def test_the_handlers_of_whoever_called_come_back():
    before = {number: signal.getsignal(number) for number in SAYS}
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in SAYS} == before
    with pytest.raises(SystemExit) as stopped, stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert stopped.value.code == 143
    with stoppable():  # what was asked of the last command is not asked of this one
        pass


def test_a_worker_ends_for_its_parent_only():
    parent = (
        "from brainseg.system.signals import leave_stopping_to_parent\n"
        "import os, signal, time, subprocess, sys\n"
        "child = os.fork()\n"
        "if child == 0:\n    leave_stopping_to_parent()\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):\n"
        "    subprocess.run(['kill', f'-{int(number)}', str(child)], check=True)\n"
        "time.sleep(0.3)\n"
        "assert os.waitpid(child, os.WNOHANG) == (0, 0), 'it ended for a stranger'\n"
        "time.sleep(0.2)\nos.kill(child, signal.SIGTERM)\n"
        "assert os.waitpid(child, 0) == (child, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
