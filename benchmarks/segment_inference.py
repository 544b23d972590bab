"""A segmenter on a whole BraTS volume: MONAI's SlidingWindowInferer beside ours.

python benchmarks/segment_inference.py CHECKPOINT --scans DIR [--rounds 3] [--threads 2]

CHECKPOINT is the report's segmenter, as experiment=report_segmenter trains it, or any other whose voxels are
the scan's own; DIR holds stripped scans in BraTS's layout. MONAI goes over all of the volume with windows of
128 voxels a side, or of the sides that a network with norms of a window was trained with, overlap 0.5,
Gaussian weights, float32, one window at a time; ours is `pipeline.stages.segment`, from the volume to labels
on its grid, over the brain's box instead of the report's fixed crop. It does not clean its answer, as MONAI
does not. Each tool lives in a process of its own, has one scan as a warm-up, and takes turns with the other.
Memory is the most that the process ever held, with Python and its libraries.

MONAI's windows cut through the brain, and a network takes what is beyond a border for zeros. So both are also
compared with the answer of a network without norms of a window to the whole volume in one piece, in float32.
"""

import argparse
import itertools
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config.schema import Crop, Intensity
from brainseg.images.labels import CONVENTIONS, REGIONS, to_classes
from brainseg.images.layouts import Subject, find_subjects, load_subject
from brainseg.images.nifti import read_labels
from brainseg.images.volume import Volume, from_ras, to_ras
from brainseg.inference import Cleaning
from brainseg.metrics import dice
from brainseg.nets import sees_its_window
from brainseg.tasks import Segmenter

TOOLS = ("MONAI", "ours")
WHOLE = "in one piece"  # not timed
REPORT_SIDES = (128, 128, 128)
Classes = NDArray[np.uint8]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--scans", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    subjects = find_subjects(given.scans)
    tools = {name: _Tool(name, given.checkpoint, given.threads) for name in TOOLS}
    for tool in tools.values():
        tool.segment(subjects[0])  # the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in TOOLS}
    whole = _Tool(WHOLE, given.checkpoint, given.threads)
    references = {subject.id: whole.segment(subject)[1] for subject in subjects}
    whole.close()
    for round_ in range(given.rounds):
        for subject in subjects:
            masks = {}
            for name in TOOLS if round_ % 2 == 0 else TOOLS[::-1]:
                took, masks[name] = tools[name].segment(subject)
                seconds[name].append(took)
            if round_ == 0:
                _print_agreement(subject, {**masks, WHOLE: references[subject.id]})
    ratio = statistics.median(a / b for a, b in zip(seconds["MONAI"], seconds["ours"], strict=True))
    for name, tool in tools.items():
        took = seconds[name]
        spread = f"{min(took):.2f} to {max(took):.2f}"
        print(f"{name}: {statistics.median(took):.2f} s ({spread}), at most {tool.close():.0f} MB")
    print(f"MONAI takes {ratio:.1f} times as long (median of {len(took)} pairs, {given.threads} threads)")


def _print_agreement(subject: Subject, masks: dict[str, Classes | None]) -> None:
    """Dice of each pair of masks, and of each with the truth."""
    known = {name: mask for name, mask in masks.items() if mask is not None}
    if subject.truth is not None:
        labels = read_labels(subject.truth).data[0]
        known["truth"] = to_classes(labels, CONVENTIONS["brats-2018"], subject.truth)
    for one, other in itertools.combinations(known, 2):
        scores = [
            f"{region} {dice(np.isin(known[one], members), np.isin(known[other], members)):.4f}"
            for region, members in REGIONS.items()
        ]
        print(f"{subject.id}: {one} and {other}: {', '.join(scores)}", flush=True)


class _Tool:
    """A way to segment in a process of its own."""

    def __init__(self, name: str, checkpoint: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(name, checkpoint, threads, there), daemon=True)
        self.process.start()

    def segment(self, subject: Subject) -> tuple[float, Classes]:
        self.pipe.send(subject)
        took, classes = self.pipe.recv()
        return took, classes

    def close(self) -> float:
        """The most memory it held, MB."""
        self.pipe.send(None)
        peak: float = self.pipe.recv()
        self.process.join()
        return peak


def _serve(name: str, checkpoint: Path, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    tool, modalities = {"MONAI": _monai, "ours": _ours, WHOLE: _whole}[name](checkpoint)
    while (subject := pipe.recv()) is not None:
        volume = load_subject(subject, modalities)
        start = time.perf_counter()
        classes = tool(volume)
        pipe.send((time.perf_counter() - start, classes))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ours(checkpoint: Path) -> tuple[Callable[[Volume], Classes], list[str]]:
    from brainseg.pipeline.models import load_ensemble
    from brainseg.pipeline.scans import Scans, brain_if_stripped
    from brainseg.pipeline.stages import segment
    from brainseg.pipeline.trained_runs import WINDOW

    model = load_ensemble(checkpoint, torch.device("cpu"))
    model.config = replace(model.config, preprocess=replace(model.config.preprocess, crop=Crop.nonzero))
    model.cleaning = Cleaning()
    modalities = list(model.config.preprocess.modalities)

    def tool(volume: Volume) -> Classes:
        channels = zip(modalities, volume.data, strict=True)
        images = {name: Volume(data[None], volume.grid) for name, data in channels}
        scans = Scans(images, modalities[0], [])
        return segment(scans, brain_if_stripped(scans.images[scans.reference]), model, WINDOW).classes

    return tool, modalities


def _monai(checkpoint: Path) -> tuple[Callable[[Volume], Classes], list[str]]:
    from monai.inferers import SlidingWindowInferer

    model = _loaded(checkpoint)
    sides = model.config.patch if sees_its_window(model.net) else REPORT_SIDES
    inferer = SlidingWindowInferer(sides, sw_batch_size=1, overlap=0.5, mode="gaussian")
    return _plain(model, lambda image: inferer(image, model)), list(model.config.preprocess.modalities)


def _whole(checkpoint: Path) -> tuple[Callable[[Volume], Classes | None], list[str]]:
    """The network on the volume padded with zeros; None of one whose norms would see the zeros."""
    model = _loaded(checkpoint)
    factor = 2 ** (len(model.config.channels) - 1)

    def answer(image: torch.Tensor) -> torch.Tensor:
        lacking = [-side % factor for side in image.shape[2:]]
        padded = torch.nn.functional.pad(image, [n for lack in lacking[::-1] for n in (0, lack)])
        x, y, z = image.shape[2:]
        return model(padded)[:, :, :x, :y, :z]

    tool = (lambda volume: None) if sees_its_window(model.net) else _plain(model, answer)
    return tool, list(model.config.preprocess.modalities)


def _loaded(checkpoint: Path) -> Segmenter:
    model = load_model(checkpoint, task="segmenter").to(memory_format=torch.contiguous_format)
    assert isinstance(model, Segmenter)
    return model


def _plain(model: Segmenter, answer: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Volume], Classes]:
    """From a volume, scaled as the network was trained, to the labels of the logits that `answer` gives."""
    from monai.transforms import NormalizeIntensity, ScaleIntensity

    scale = {
        Intensity.minmax: ScaleIntensity(channel_wise=True),
        Intensity.zscore_nonzero: NormalizeIntensity(nonzero=True, channel_wise=True),
    }[model.config.preprocess.intensity]

    def tool(volume: Volume) -> Classes:
        turned = to_ras(volume).data  # as the network was trained
        with torch.inference_mode():
            classes = model.classes_of(answer(torch.as_tensor(scale(turned))[None])[0])
        return np.ascontiguousarray(from_ras(classes[None].numpy(), volume.grid)[0])

    return tool


if __name__ == "__main__":
    main()
