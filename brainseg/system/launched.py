"""A process that another one started for a job, and that ends when the other is gone."""

import os
import signal
import threading
import time

LAUNCHER = "BRAINSEG_LAUNCHER"  # the process that started this one for a job
EVERY_S = 0.5


def end_with_launcher() -> None:
    """From now on stop, as by SIGTERM, when the process that started this one for a job has died.

    Without such a process nothing happens. It stops its jobs itself while it can; this is for SIGKILL.
    """
    launcher = os.environ.pop(LAUNCHER, None)  # it is no business of processes that this one starts
    if launcher is not None:
        threading.Thread(target=_stop_after, args=(int(launcher),), daemon=True).start()


def _stop_after(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
