"""Skull strippers beside deepbet: seconds from file to mask, memory, and Dice where there is a truth.

pip install deepbet
python benchmarks/skull_strip.py CHECKPOINT [CHECKPOINT ...] --heads DIR

DIR holds heads with brain masks, as `brainseg phantom DIR --layout nfbs` writes them; of each its T1w is
taken, the sequence that deepbet knows. Every tool lives in a process of its own with its networks loaded and
has one head as a warm-up; then the tools take turns head by head, so that a slow minute of the machine hits
all. Time is that of reading, computing and cutting out the brain, without writing. Memory is the most that
the process ever held, with Python and its libraries.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import read_labels
from brainseg.metrics import dice

DEEPBET = "deepbet"
Mask = NDArray[np.bool_]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("checkpoints", nargs="+", help="strippers of brainseg")
    options.add_argument("--heads", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    heads = [
        (subject.images["t1"].path, subject.mask_of("t1"))
        for subject in find_subjects(given.heads)
        if "t1" in subject.images
    ]
    tools = {name: _Tool(name, given.threads) for name in (*given.checkpoints, DEEPBET)}
    for tool in tools.values():
        tool.strip(heads[0][0])  # the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    scores: dict[str, list[float]] = {name: [] for name in tools}
    for round_ in range(given.rounds):
        for scan, truth in heads:
            for name in list(tools) if round_ % 2 == 0 else list(tools)[::-1]:
                took, mask = tools[name].strip(scan)
                seconds[name].append(took)
                if round_ == 0 and truth is not None:
                    scores[name].append(dice(read_labels(truth).data[0] > 0, mask))
    base = statistics.median(seconds[DEEPBET])
    print(f"{len(heads)} heads of {given.heads}, {given.rounds} rounds, {given.threads} threads")
    for name, tool in tools.items():
        middle = statistics.median(seconds[name])
        quality = f"Dice {np.mean(scores[name]):.4f} (least {min(scores[name]):.4f})" if scores[name] else ""
        print(
            f"{name}: {middle:.2f} s ({min(seconds[name]):.2f} to {max(seconds[name]):.2f}), "
            f"{middle / base:.2f} of deepbet's; {tool.close():.0f} MB; {quality}"
        )


class _Tool:
    """A stripper in a process of its own."""

    def __init__(self, name: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(name, threads, there), daemon=True)
        self.process.start()

    def strip(self, scan: Path) -> tuple[float, Mask]:
        self.pipe.send(scan)
        took, packed, shape = self.pipe.recv()
        return took, np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).astype(bool)

    def close(self) -> float:
        """The most memory it held, MB."""
        self.pipe.send(None)
        peak: float = self.pipe.recv()
        self.process.join()
        return peak


def _serve(name: str, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    tool = _deepbet() if name == DEEPBET else _ours(name)
    while (scan := pipe.recv()) is not None:
        start = time.perf_counter()
        mask = tool(scan)
        took = time.perf_counter() - start
        pipe.send((took, np.packbits(mask), mask.shape))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ours(checkpoint: str) -> Callable[[Path], Mask]:
    from brainseg.checkpoint import load_model
    from brainseg.config.defaults import default_window
    from brainseg.images import nifti
    from brainseg.inference import Windows
    from brainseg.prediction.scans import Scans
    from brainseg.prediction.strip import NetworkStripper, strip
    from brainseg.trained import SkullStripperModel

    model = load_model(checkpoint, task="skullstripper")
    assert isinstance(model, SkullStripperModel)
    windows = Windows.of(default_window())

    def tool(scan: Path) -> Mask:
        image = nifti.read(scan)
        found = strip(Scans({"t1": image}, "t1"), NetworkStripper(model), windows)
        np.where(found.mask, image.data[0], 0)
        return found.mask

    return tool


def _deepbet() -> Callable[[Path], Mask]:
    from deepbet.bet import BrainExtraction  # type: ignore[import-not-found]

    extraction = BrainExtraction(no_gpu=True)

    def tool(scan: Path) -> Mask:
        _, mask, _ = extraction.run(str(scan))
        return np.asarray(mask.dataobj) > 0

    return tool


if __name__ == "__main__":
    main()
