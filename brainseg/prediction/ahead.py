"""A cohort of which the next subject is read, and the last one written, while one is computed.

Two threads stand beside the one that computes: reading, registering and judging scans need no network, and
neither do drawing and writing. So at most `pipeline.prefetch` subjects that are read, one that is computed
and one that is written are in memory.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

from brainseg.images.subject import Subject
from brainseg.prediction.job import Job
from brainseg.prediction.slices import is_of_pictures
from brainseg.prediction.subject import Found, compute, read, write
from brainseg.results.result import Result
from brainseg.system.log_order import Lines, held_back

Make = Callable[[Path], Result]  # a subject's result, whose files go into the folder that is given
Finish = Callable[[Subject, Make], Result]  # puts the folder in its place, or writes what went wrong
Reading = tuple[Subject, Lines, Future[Found]]


def can_overlap(subjects: Sequence[Subject], job: Job) -> bool:
    """Whether there is a next subject to read while one is computed, and that is wished."""
    return job.options.pipeline.prefetch > 0 and len(subjects) > 1 and not any(map(is_of_pictures, subjects))


def predicted(subjects: Sequence[Subject], job: Job, finish: Finish) -> Iterator[Result]:
    """The result of each subject, in their order; what was logged of one comes before that of the next.

    Args:
        subjects: Scans, no pictures of slices.
        job: The models and the settings.
        finish: Called in a thread of its own, for one subject after the other, with what makes the result.
            That raises whatever went wrong with the subject, in reading and computing too.
    """
    waiting, reading, said = deque(subjects), deque[Reading](), deque[Lines]()
    written: Future[Result] | None = None
    with held_back(), ExitStack() as ending:
        ending.callback(_emit_all, said)  # where a signal ends it before its end
        writer, reader = _thread(ending, "writing"), _thread(ending, "reading", leave=True)
        while waiting or reading:
            while waiting and len(reading) <= job.options.pipeline.prefetch:
                reading.append(_begun(reader, waiting.popleft(), job))
            subject, lines, future = reading.popleft()
            said.append(lines)
            make = lines.of(partial(_attempted, future, job))
            if written is not None:
                yield _ended(written, said)
            written = writer.submit(lines.of, partial(finish, subject, make))
            del future, make  # what is written is not held until the next one is
        if written is not None:
            yield _ended(written, said)


def _emit_all(said: deque[Lines]) -> None:
    for lines in said:
        lines.emit()


def _thread(ending: ExitStack, name: str, *, leave: bool = False) -> ThreadPoolExecutor:
    """A thread that is waited for at the end; `leave` drops what it has not begun by then."""
    pool = ThreadPoolExecutor(1, name)
    ending.callback(pool.shutdown, cancel_futures=leave)
    return pool


def _begun(reader: ThreadPoolExecutor, subject: Subject, job: Job) -> Reading:
    lines = Lines()
    return subject, lines, reader.submit(lines.of, partial(_usable, subject, job))


def _usable(subject: Subject, job: Job) -> Found:
    subject.refuse_fault()
    return read(subject, job)


def _attempted(scans: Future[Found], job: Job) -> Make:
    """What makes the result of a subject once the networks have answered, or raises what went wrong."""
    try:
        return partial(write, compute(scans.result(), job), job)
    except Exception as error:  # this subject's own: it is written in place of a result
        return partial(_raised, error)


def _raised(error: Exception, folder: Path) -> NoReturn:
    raise error


def _ended(result: Future[Result], said: deque[Lines]) -> Result:
    try:
        return result.result()
    finally:
        said.popleft().emit()
