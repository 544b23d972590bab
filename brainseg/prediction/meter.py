"""Seconds and memory of a piece of work."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

EVERY_S = 0.02


@dataclass
class Meter:
    """What each named piece took: wall-clock seconds, and the most memory that the process held meanwhile.

    A piece that is measured again goes on.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        done = threading.Event()
        process = psutil.Process()
        peak = process.memory_info().rss

        def watch() -> None:
            nonlocal peak
            while not done.wait(EVERY_S):
                peak = max(peak, process.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        start = time.perf_counter()
        watcher.start()
        try:
            yield
        finally:
            took = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self.seconds[name] = round(took, 3)
            done.set()
            watcher.join()
            peak_mb = max(peak, process.memory_info().rss) / 2**20
            self.peak_mb[name] = round(max(peak_mb, self.peak_mb.get(name, 0.0)), 1)
