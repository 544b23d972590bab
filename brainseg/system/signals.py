"""How a command ends that is stopped from outside: in one line, with exit code 128 + the signal's number.

So 130 after Ctrl+C, 143 after SIGTERM (`kill`, `timeout`, Slurm), 129 after SIGHUP (the terminal was closed);
in a job of Slurm also 138 after SIGUSR1 and 140 after SIGUSR2, which announce the end of the job's time.
This module imports nothing but the standard library, so that it can stand guard while torch is imported.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPS = {signal.SIGINT: "Ctrl+C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP, the end of the terminal"}
OF_SLURM = {one: f"{one.name}, from Slurm" for one in (signal.SIGUSR1, signal.SIGUSR2)}
COPY_S = 0.5  # `timeout`, and wrappers that pass Ctrl+C on, send the same signal twice: no second wish
GRACE_S = 20.0  # several processes can wait for each other for ever, so they get no longer than this
FAREWELL_S = 3.0  # a connection breaks before the process at its other end is gone
_LEADER = "BRAINSEG_LEADER"  # which process started this one as a part of the same training

_asked: int | None = None  # the first stop signal that came
_guarded = False
_several = False
_noting = False  # whether the one who trains looks for a signal itself, between two batches
_last_act: Callable[[int], None] | None = None


class Stopped(SystemExit):
    """A stop signal came while nothing had to be brought to an end first. `code` is the exit code."""


def asked_to_stop() -> bool:
    """Whether a stop signal has come."""
    return _asked is not None


def heed() -> None:
    """End here if a stop signal has come and was only noted.

    Raises:
        Stopped: One has come.
    """
    if _asked is not None:
        raise Stopped(128 + _asked)


@contextmanager
def stoppable() -> Iterator[None]:
    """Everything that a command does, its imports too.

    The first stop signal raises `Stopped`, or is noted for whoever has asked for that by `note_only`. A
    second Ctrl+C ends the process at once. A signal that is ignored from the start (`nohup`, a job in the
    background) stays ignored. A process of a training that another process began ignores all three and ends
    with the other.

    Raises:
        SystemExit: With 128 + the signal's number, whatever became of the body after the signal.
    """
    if _is_follower():
        with _following():
            yield
        return
    os.environ[_LEADER] = str(os.getpid())
    with _handlers(), _watch():
        try:
            yield
        except BaseException:
            if _asked is None:
                raise
        if _asked is not None:
            _leave(128 + _asked)


def before_leaving(act: Callable[[int], None]) -> None:
    """Have something done, once, when a stop signal ends this process: it is given the signal's number."""
    global _last_act
    _last_act = act


def note_only(*, several: bool) -> None:
    """From now on note a stop signal only: the caller heeds it where nothing is lost, by `heed`.

    Without `stoppable` around it, nothing happens.

    Args:
        several: Whether this process is one of several of a training.
    """
    global _noting
    take_over(several=several)
    _noting = _guarded


def note_no_longer() -> None:
    """From now on a stop signal ends the command at once."""
    global _noting
    _noting = False


def take_over(*, several: bool) -> None:
    """Put the handlers back that Lightning's trainer has replaced by its own.

    In a training of several processes Lightning's sends a message to the others in the middle of whatever
    they are sending, so that all wait for ever. Without `stoppable` around it, nothing happens.
    """
    global _several
    if _is_follower() or (several and not is_first_process()):
        _ignore_stops()
    elif _guarded:
        _several = several
        signal.signal(signal.SIGTERM, _on_signal)


def leave_stopping_to_parent(_worker: int = 0) -> None:
    """In a loader's worker: only the process that started it may end it.

    Ctrl+C, `timeout` and Slurm send their signal to every process. A worker that dies of it costs its parent
    the batch, and with it the checkpoint that is to be saved at the end of that batch.
    """
    for ignored in _stops().keys() - {signal.SIGTERM}:
        signal.signal(ignored, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_when_the_parent_says, daemon=True).start()


def _end_when_the_parent_says() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass  # sigwaitinfo sleeps until the next one
    os._exit(0)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    global _asked
    if _asked is not None:
        return  # a copy of the first; _listen looks for a second Ctrl+C
    _asked = number
    if _noting:
        _say(f"{_words(number)}: stopping after this batch; Ctrl+C ends at once")
        return
    _say(f"stopped by {_words(number)}")
    raise Stopped(128 + number)


@contextmanager
def _handlers() -> Iterator[None]:
    global _asked, _guarded, _several, _noting
    before = {number: signal.getsignal(number) for number in _stops()}
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, _on_signal)
    _asked, _guarded, _several, _noting = None, True, False, False
    try:
        yield
    finally:
        _asked, _guarded, _several, _noting = None, False, False, False
        for number in taken:
            signal.signal(number, before[number])


@contextmanager
def _watch() -> Iterator[None]:
    """Let a thread hear each signal too, however long the main thread stays within a library's code."""
    ear, bell = os.pipe()
    os.set_blocking(bell, False)
    before = signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ear,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(bell)


def _listen(ear: int) -> None:
    """End the process on a second Ctrl+C, and one of several `GRACE_S` after the first signal."""
    first: tuple[float, int] | None = None
    while True:
        if first is not None and time.monotonic() > first[0] + GRACE_S and _is_one_of_several():
            _end_now(first[1])
        if not select.select([ear], [], [], None if first is None else 1.0)[0]:
            continue
        if not (heard := os.read(ear, 1)):
            os.close(ear)
            return
        number = heard[0]
        if first is None and number in _stops():
            first = time.monotonic(), number
        elif first is not None and number == signal.SIGINT and time.monotonic() > first[0] + COPY_S:
            _end_now(number)


def _end_now(number: int) -> None:
    if _asked is None:  # the main thread is still within the library
        _say(f"stopped by {_words(number)}")
    _act_last(number)
    os._exit(128 + number)


def _act_last(number: int) -> None:
    global _last_act
    act, _last_act = _last_act, None
    if act is not None:
        act(number)


def _is_one_of_several() -> bool:
    begun = int(os.environ.get("WORLD_SIZE", "1")) > 1  # is set before the others are begun
    return _several or begun


def _leave(code: int) -> None:
    """Exit; where other processes may be waiting for this one, without waiting for them in turn."""
    _act_last(code - 128)
    if _is_one_of_several():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    raise SystemExit(code) from None


def is_first_process() -> bool:
    """Whether this process leads its training; one that trains alone does.

    Slurm starts the processes of a training itself, and numbers them.
    """
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "SLURM_PROCID"))


def _stops() -> dict[signal.Signals, str]:
    """The signals that ask for a stop."""
    return STOPS | OF_SLURM if "SLURM_JOB_ID" in os.environ else STOPS


def _words(number: int) -> str:
    return (STOPS | OF_SLURM)[signal.Signals(number)]


def _is_follower() -> bool:
    """Whether Lightning started this process as a part of a training that its parent leads."""
    rank = os.environ.get("LOCAL_RANK", "0")
    return rank != "0" and os.environ.get(_LEADER) == str(os.getppid())


@contextmanager
def _following() -> Iterator[None]:
    """Ignore what the leader is told, and end when it ends; in silence, if it is why this process fails."""
    _ignore_stops()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        yield
    except BaseException:
        time.sleep(FAREWELL_S)  # where the leader ends, _end_with ends this too, before a word is said
        raise


def _ignore_stops() -> None:
    for number in _stops():
        signal.signal(number, signal.SIG_IGN)


def _end_with(leader: int) -> None:
    while os.getppid() == leader:
        time.sleep(0.5)
    os._exit(1)  # nobody is left to see it


def _in_forked_child() -> None:
    """A forked child, such as a loader's worker, neither rings its parent's bell nor says what it says."""
    if _guarded:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for ignored in _stops().keys() - {signal.SIGTERM}:
            signal.signal(ignored, signal.SIG_IGN)


os.register_at_fork(after_in_child=_in_forked_child)


def _say(line: str) -> None:
    # Not print: the signal may have come in the middle of one, and a buffer cannot be entered twice.
    with suppress(OSError):
        start = "\n" if os.isatty(2) else ""
        os.write(2, f"{start}{line}\n".encode())
