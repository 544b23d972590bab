"""A segmenter on a whole BraTS volume: MONAI's SlidingWindowInferer beside ours.

python benchmarks/segment_inference.py CHECKPOINT --scans DIR [--rounds 3] [--threads 2]

CHECKPOINT is the report's segmenter, as experiment=report_segmenter trains it, or any other whose voxels are
the scan's own; DIR holds stripped scans in BraTS's layout. MONAI goes over all of the volume with windows of
128 voxels a side, or of the sides that a network with norms of a window was trained with, overlap 0.5,
Gaussian weights, float32, one window at a time; ours is `pipeline.stages.segment`, from the volume to labels
on its grid, over the brain's box instead of the report's fixed crop. It does not clean its answer, as MONAI
does not. Each tool lives in a process of its own, has one scan as a warm-up, and takes turns with the other.
Memory is the most that the process ever held, with Python and its libraries.

A network that pools answers otherwise when the scan is moved by a voxel. So MONAI gets the volume with zeros
behind it, up to a multiple of what the network pools: its last windows, too, then begin at one. Two answers
are compared that are not timed, both in float32: MONAI's to the volume as it comes, whose last windows begin
elsewhere, and that of a network without norms of a window to the whole volume in one piece. Masks are
compared where the scan is not 0, as ours says nothing of what lies outside.
"""

import argparse
import itertools
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config.choices import Crop, Intensity
from brainseg.images.labels import CONVENTIONS, REGIONS, to_classes
from brainseg.images.layouts import Subject, find_subjects, load_subject
from brainseg.images.nifti import read_labels
from brainseg.images.volume import Volume, from_ras, to_ras
from brainseg.inference import Cleaning
from brainseg.metrics import dice
from brainseg.nets import sees_its_window
from brainseg.trained import SegmenterModel

TOOLS = ("MONAI", "ours")
REFERENCES = ("MONAI as it comes", "in one piece")  # not timed
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
    references = {name: _answers(name, given.checkpoint, given.threads, subjects) for name in REFERENCES}
    scores: dict[str, list[dict[str, float]]] = {}
    for round_ in range(given.rounds):
        for subject in subjects:
            masks = {}
            for name in TOOLS if round_ % 2 == 0 else TOOLS[::-1]:
                took, masks[name] = tools[name].segment(subject)
                seconds[name].append(took)
            if round_ == 0:
                masks |= {name: answers[subject.id] for name, answers in references.items()}
                for pair, dices in _agreement(subject, masks):
                    scores.setdefault(pair, []).append(dices)
                    print(f"{subject.id}: {pair}: {_row(dices)}", flush=True)
    for pair, each in scores.items():
        print(f"{pair}, mean and least of {len(each)}:")
        print(f"    {_row({region: statistics.mean(one[region] for one in each) for region in REGIONS})}")
        print(f"    {_row({region: min(one[region] for one in each) for region in REGIONS})}")
    ratio = statistics.median(a / b for a, b in zip(seconds["MONAI"], seconds["ours"], strict=True))
    for name, tool in tools.items():
        took = seconds[name]
        spread = f"{min(took):.2f} to {max(took):.2f}"
        print(f"{name}: {statistics.median(took):.2f} s ({spread}), at most {tool.close():.0f} MB")
    print(f"MONAI takes {ratio:.1f} times as long (median of {len(took)} pairs, {given.threads} threads)")


def _answers(name: str, checkpoint: Path, threads: int, subjects: list[Subject]) -> dict[str, Classes | None]:
    tool = _Tool(name, checkpoint, threads)
    answers = {subject.id: tool.segment(subject)[1] for subject in subjects}
    tool.close()
    return answers


def _agreement(subject: Subject, masks: dict[str, Classes | None]) -> Iterator[tuple[str, dict[str, float]]]:
    """Dice of each pair of masks, and of each with the truth, by region."""
    filled = (load_subject(subject, list(subject.images)).data != 0).any(axis=0)
    known = {name: mask * filled for name, mask in masks.items() if mask is not None}
    if subject.truth is not None:
        labels = read_labels(subject.truth).data[0]
        known["truth"] = to_classes(labels, CONVENTIONS["brats-2018"], subject.truth)
    for one, other in itertools.combinations(known, 2):
        yield (
            f"{one} and {other}",
            {
                region: dice(np.isin(known[one], members), np.isin(known[other], members))
                for region, members in REGIONS.items()
            },
        )


def _row(scores: dict[str, float]) -> str:
    return ", ".join(f"{region} {score:.4f}" for region, score in scores.items())


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
    tool, modalities = MAKERS[name](checkpoint)
    while (subject := pipe.recv()) is not None:
        volume = load_subject(subject, modalities)
        start = time.perf_counter()
        classes = tool(volume)
        pipe.send((time.perf_counter() - start, classes))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ours(checkpoint: Path) -> tuple[Callable[[Volume], Classes], list[str]]:
    from brainseg.config.defaults import default_window
    from brainseg.inference import Windows
    from brainseg.prediction.members import load_ensemble
    from brainseg.prediction.scans import Scans, brain_if_stripped
    from brainseg.prediction.segment import segment

    model = load_ensemble(checkpoint, torch.device("cpu"))
    model.config = replace(model.config, preprocess=replace(model.config.preprocess, crop=Crop.nonzero))
    model.cleaning = Cleaning()
    modalities, windows = list(model.config.preprocess.modalities), Windows.of(default_window())

    def tool(volume: Volume) -> Classes:
        channels = zip(modalities, volume.data, strict=True)
        images = {name: Volume(data[None], volume.grid) for name, data in channels}
        scans = Scans(images, modalities[0])
        return segment(scans, brain_if_stripped(scans.images[scans.reference]), model, windows).classes

    return tool, modalities


def _monai(checkpoint: Path) -> tuple[Callable[[Volume], Classes], list[str]]:
    model = _loaded(checkpoint)
    return _plain(model, _at_multiples(model, _windows(model)))


def _monai_as_it_comes(checkpoint: Path) -> tuple[Callable[[Volume], Classes], list[str]]:
    model = _loaded(checkpoint)
    return _plain(model, _windows(model))


def _whole(checkpoint: Path) -> tuple[Callable[[Volume], Classes | None], list[str]]:
    """None of a network whose norms would see the zeros."""
    model = _loaded(checkpoint)
    if sees_its_window(model.net):
        return lambda volume: None, list(model.config.preprocess.modalities)
    return _plain(model, _at_multiples(model, model))


MAKERS = {
    "MONAI": _monai,
    "ours": _ours,
    "MONAI as it comes": _monai_as_it_comes,
    "in one piece": _whole,
}


def _windows(model: SegmenterModel) -> Callable[[torch.Tensor], torch.Tensor]:
    from monai.inferers import SlidingWindowInferer

    sides = model.config.patch if sees_its_window(model.net) else REPORT_SIDES
    inferer = SlidingWindowInferer(sides, sw_batch_size=1, overlap=0.5, mode="gaussian")
    return lambda image: inferer(image, model)


def _at_multiples(
    model: SegmenterModel, answer: Callable[[torch.Tensor], torch.Tensor]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """`answer` to images with zeros behind them, up to a multiple of what the network pools."""
    factor = 2 ** (len(model.config.channels) - 1)

    def padded(image: torch.Tensor) -> torch.Tensor:
        x, y, z = image.shape[2:]
        lacking = [-side % factor for side in (z, y, x)]
        behind = torch.nn.functional.pad(image, [n for lack in lacking for n in (0, lack)])
        return answer(behind)[:, :, :x, :y, :z]

    return padded


def _loaded(checkpoint: Path) -> SegmenterModel:
    model = load_model(checkpoint, task="segmenter").to(memory_format=torch.contiguous_format)
    assert isinstance(model, SegmenterModel)
    return model


def _plain(
    model: SegmenterModel, answer: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[Callable[[Volume], Classes], list[str]]:
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

    return tool, list(model.config.preprocess.modalities)


if __name__ == "__main__":
    main()
