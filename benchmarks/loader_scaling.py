"""Training samples a second for 0, 1, 2, 4, ... loader processes, and the bytes that cross between these.

python benchmarks/loader_scaling.py [--seconds 5] [--most 16] [--tasks segmenter_best classifier ...]

Scans and slices of the usual sizes are made up, so that nothing is read from a slow disk or written before.
Three ways to hand samples over: as on the CPU; with half images; and to be changed or painted on the device
(trainer.half_images, trainer.augment_on_device), of which only the part before the device is timed. Printed
are samples a second of the clock; the seconds of one core that a sample costs, measured without any process
beside; and MB of a batch, which cross between processes where there are any. In training the last way begins
none unless data.workers asks for some.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from brainseg.config import conf_dir, register_schemas
from brainseg.data.handover import CPU, Handover
from brainseg.data.heads import one_channel
from brainseg.data.loader import Loader, Samples
from brainseg.data.loading import train_loader
from brainseg.data.painted import PaintedPatches
from brainseg.data.painter import Painter
from brainseg.data.slices import SliceDataset, Slices
from brainseg.data.volumes import PatchDataset
from brainseg.phantom.painted_tumours import painted_tumour
from brainseg.phantom.templates import TUMOR_SHARE, make_template
from brainseg.system.device import threads

EXPERIMENTS = {
    "segmenter_best": ["experiment=segmenter_best"],
    "segmenter_fast": ["experiment=segmenter_fast"],
    "skullstripper_anycontrast": ["experiment=skullstripper_anycontrast"],
    "segmenter_tumours": ["experiment=segmenter_tumours"],
    "classifier": ["model=classifier"],
}
PAINTED = {"PaintedHeads": TUMOR_SHARE, "PaintedTumours": 0.0}  # how many of the templates have a tumour
WAYS = {
    "as on the CPU": CPU,
    "half images": Handover(half_images=True),
    "changed on the device": Handover(augment=True),
}
SCAN_MM = (144, 176, 144)  # what is left of a head when it is cut to the brain
EPOCH = 10**6  # samples, so that none ends


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options.add_argument("--most", type=int, default=threads(), help="loader processes")
    options.add_argument("--tasks", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    given = options.parse_args()
    torch.set_num_threads(1)
    counts = [0, *(n for n in (1, 2, 4, 8, 16, 32) if n <= given.most)]
    print("| task | way | MB a batch | core seconds a sample |", *(f"{n} processes |" for n in counts))
    print("|" + " --- |" * (4 + len(counts)))
    for name in given.tasks:
        cfg = composed(*EXPERIMENTS[name])
        for way, handover in WAYS.items():
            _print_row(
                name, way, made_samples(cfg, handover), cfg[cfg.task].batch_size, handover, counts, given
            )


def composed(*overrides: str) -> DictConfig:
    """A training config as the command line gives it."""
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return compose("train", [*overrides, "paths.run=none", "trainer=cpu"])


def made_samples(cfg: DictConfig, handover: Handover) -> Samples:
    """The training samples of a config, of made-up scans or slices."""
    recipe: Any = OmegaConf.to_object(cfg[cfg.task])
    rng = np.random.default_rng(0)
    if cfg.task == "classifier":
        images = rng.integers(0, 255, (256, recipe.preprocess.size, recipe.preprocess.size), dtype=np.uint8)
        targets = np.arange(256) % len(recipe.classes)
        names = [f"{k:03d}" for k in range(256)]
        return SliceDataset(Slices(images, np.arange(256), targets, names, names), recipe, 0, handover)
    if (kind := str(cfg.data._target_).rpartition(".")[2]) in PAINTED:
        spacing_mm, how = recipe.preprocess.spacing_mm[0], recipe.preprocess
        heads = [make_template(seed, spacing_mm, PAINTED[kind]) for seed in range(2)]
        tumours = partial(painted_tumour, sequences=list(how.modalities))
        painter = Painter(one_channel if kind == "PaintedHeads" else tumours, how)
        return PaintedPatches(heads, recipe, 0, painter, handover)
    cases = [_scan(rng, recipe) for _ in range(4)]
    return PatchDataset(cases, recipe, 0, handover)


def _scan(rng: np.random.Generator, recipe: Any) -> dict[str, Any]:
    spacing = recipe.preprocess.spacing_mm or (1.0, 1.0, 1.0)
    shape = [round(side / mm) for side, mm in zip(SCAN_MM, spacing, strict=True)]
    image = rng.standard_normal((len(recipe.preprocess.modalities), *shape), dtype=np.float32)
    truth = np.zeros(shape, np.uint8)
    truth[tuple(slice(side // 3, side // 2) for side in shape)] = 2
    return {"image": image.astype(np.float16), "truth": truth}


def made_loader(samples: Samples, batch_size: int, workers: int, handover: Handover) -> Loader:
    """Batches of made-up samples without an end."""
    return train_loader(_Endless(samples), EPOCH, batch_size, 0, workers, handover=handover)


class _Endless(Samples):
    """The same samples over and over, with new draws."""

    def __init__(self, samples: Any) -> None:
        self.samples, self.collate, self.finish = samples, samples.collate, samples.finish

    def __getitem__(self, draw: tuple[int, int]) -> Any:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[tuple[int, int]]) -> list[Any]:
        n = len(self.samples)
        own = [(epoch + index // n, index % n) for epoch, index in draws]
        together = getattr(self.samples, "__getitems__", None)
        return together(own) if together else [self.samples[draw] for draw in own]


def _print_row(
    name: str,
    way: str,
    samples: Samples,
    batch_size: int,
    handover: Handover,
    counts: list[int],
    given: argparse.Namespace,
) -> None:
    rates, cost, size = [], 0.0, 0
    for workers in counts:
        batches = made_loader(samples, batch_size, workers, handover).handed_over()
        size = sum(map(_bytes, islice(batches, 3 + 2 * workers))) // (3 + 2 * workers)  # and so warmed up
        n, seconds, core = _timed(batches, given.seconds)
        rates.append(f"{n * batch_size / seconds:.1f}")
        cost = cost or core / (n * batch_size)
        del batches
    print(f"| {name} | {way} | {size / 1e6:.2f} | {cost:.4f} |", *(f"{rate} |" for rate in rates), flush=True)


def _timed(batches: Iterator[Any], least_s: float) -> tuple[int, float, float]:
    """How many batches came, in how many seconds of the clock, and of this process's cores."""
    began, core, n = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < least_s:
        next(batches)
        n += 1
    return n, time.perf_counter() - began, time.process_time() - core


def _bytes(batch: Any) -> int:
    """The bytes of all tensors in nested tuples and lists."""
    if isinstance(batch, torch.Tensor):
        return batch.numel() * batch.element_size()
    return sum(map(_bytes, batch)) if isinstance(batch, list | tuple) else 0


if __name__ == "__main__":
    main()
