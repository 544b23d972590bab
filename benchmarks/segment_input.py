"""Seconds for one training sample of the segmenter on one core, beside MONAI's chain for BraTS.

python benchmarks/segment_input.py [--cohort DIR]     of BraTS's layout at 1 mm; phantoms where there is none

A sample is a patch of 128 x 128 x 128 voxels of four sequences with its labels. Ours come from the
memory-mapped cache through the dataset that training uses, with the probabilities of
conf/model/segmenter.yaml, with a turn always, and with every change always.

MONAI's chain is that of its BraTS tutorial: RandSpatialCrop, RandFlip along each axis, NormalizeIntensity of
what is not 0, RandScaleIntensity, RandShiftIntensity. "from memory" begins with volumes that are loaded and
turned already, "from NIfTI" with files, as the tutorial does. RandAffine is bounded as our turns are. "our
changes" puts in the place of the last two all that we do, each with our probability.

All run in this process, warmed up once, and take turns. Printed are the median over the rounds of a sample's
mean time, the least and the most, and the ratio to the tutorial's chain from memory. It is the processor's
time, so that what else the machine does counts less; with one thread and an idle core it is the clock's.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from monai import transforms as mt

from brainseg.config import conf_dir, register_schemas
from brainseg.data import composed_data
from brainseg.data.volumes import PatchDataset
from brainseg.images.layouts import Subject, find_subjects
from brainseg.phantom import write_cohort

PATCH = (128, 128, 128)
SUBJECTS = 2
BASE = "MONAI, tutorial, from memory"
KEYS = ["image", "label"]
Way = Callable[[int], Any]  # from the number of a draw to its sample


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cohort", type=Path, default=Path("data/segment_input"))
    options.add_argument("--cache", type=Path, default=Path("data/cache"))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--samples", type=int, default=16, help="of each way in a round")
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    if not given.cohort.is_dir():
        write_cohort(given.cohort, layout="brats", subjects=SUBJECTS, seed=0)
    ways = {**_ours(given.cohort, given.cache), **_monai(given.cohort)}
    for way in ways.values():
        way(0)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(given.rounds):
        draws = range(round_ * given.samples, (round_ + 1) * given.samples)
        for name in list(ways) if round_ % 2 == 0 else list(ways)[::-1]:
            seconds[name].append(_mean_seconds(ways[name], draws))
    print(f"{given.samples} samples of {PATCH} x 4 a round, {given.rounds} rounds, {given.threads} threads")
    base = statistics.median(seconds[BASE])
    for name, values in seconds.items():
        middle = statistics.median(values)
        spread = f"({min(values):.3f} to {max(values):.3f})"
        print(f"{name:<42} {middle:.3f} s {spread}  {middle / base:.2f} of the tutorial's")


def _mean_seconds(way: Way, draws: range) -> float:
    start = time.process_time()
    for draw in draws:
        way(draw)
    return (time.process_time() - start) / len(draws)


def _ours(cohort: Path, cache: Path) -> dict[str, Way]:
    register_schemas()
    side = list(PATCH)
    wanted = [f"data.root={cohort}", f"paths.cache={cache}", f"segmenter.patch={side}"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        cfg = compose("train", ["model=segmenter", "data.workers=0", *wanted])
    data = composed_data(cfg)
    data.prepare_data()
    cases, usual = list(data.arrays.values()), data.recipe.augment
    return {
        name: _drawing(PatchDataset(cases, replace(data.recipe, augment=augment), seed=0))
        for name, augment in {
            "ours, as configured": usual,
            "ours, affine always": replace(usual, affine=1.0),
            "ours, every change always": replace(usual, affine=1.0, flip=1.0, intensity=1.0),
            "ours, crop and flip only": replace(usual, affine=0.0, intensity=0.0),
        }.items()
    }


def _drawing(dataset: PatchDataset) -> Way:
    return lambda draw: dataset[(draw // len(dataset), draw % len(dataset))]


def _monai(cohort: Path) -> dict[str, Way]:
    files = [_files(subject) for subject in find_subjects(cohort)]
    loading = _loading()
    loaded = [loading(one) for one in files]
    tutorial = [*_normalised(), *_scaled_and_shifted(0.1, 1.0)]
    chains = {
        BASE: [*_placed(), *tutorial],
        "MONAI, RandAffine at 0.3": [*_placed(0.3), *tutorial],
        "MONAI, RandAffine always": [*_placed(1.0), *tutorial],
        "MONAI, our changes": [*_placed(0.3), *_normalised(), *_our_changes(0.3)],
        "MONAI, our changes, every one always": [*_placed(1.0), *_normalised(), *_our_changes(1.0)],
    }
    ways = {name: _taking_turns(mt.Compose(chain), loaded) for name, chain in chains.items()}
    ways["MONAI, tutorial, from NIfTI"] = _taking_turns(mt.Compose([loading, *_placed(), *tutorial]), files)
    return ways


def _taking_turns(chain: mt.Compose, inputs: list[dict[str, Any]]) -> Way:
    chain.set_random_state(seed=0)
    turns = cycle(inputs)
    return lambda draw: chain(dict(next(turns)))


def _files(subject: Subject) -> dict[str, Any]:
    images = [str(subject.images[name].path) for name in ("t1", "t1ce", "t2", "flair")]
    return {"image": images, "label": str(subject.truth)}


def _loading() -> mt.Compose:
    """What does not depend on chance, and what a CacheDataset would keep in memory."""
    return mt.Compose(
        [
            mt.LoadImaged(KEYS),
            mt.EnsureChannelFirstd("image"),
            mt.EnsureTyped(KEYS),
            mt.ConvertToMultiChannelBasedOnBratsClassesd("label"),
            mt.Orientationd(KEYS, axcodes="RAS", labels=None),
            mt.Spacingd(KEYS, pixdim=(1.0, 1.0, 1.0), mode=("bilinear", "nearest")),
        ]
    )


def _placed(affine: float = 0.0) -> list[Any]:
    """A crop that is turned with that probability, and flipped."""
    crop = mt.RandSpatialCropd(KEYS, roi_size=PATCH, random_size=False)
    turn = mt.RandAffined(
        KEYS,
        prob=affine,
        rotate_range=(math.radians(12),) * 3,
        scale_range=(0.1,) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="border",
    )
    flips = [mt.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)]
    return [crop, *([turn] if affine else []), *flips]


def _normalised() -> list[Any]:
    return [mt.NormalizeIntensityd("image", nonzero=True, channel_wise=True)]


def _scaled_and_shifted(most: float, probability: float) -> list[Any]:
    return [
        mt.RandScaleIntensityd("image", factors=most, prob=probability),
        mt.RandShiftIntensityd("image", offsets=0.1, prob=probability),
    ]


def _our_changes(probability: float) -> list[Any]:
    return [
        mt.RandBiasFieldd("image", coeff_range=(-0.1, 0.1), prob=probability),
        mt.RandAdjustContrastd("image", gamma=(0.8, 1.25), prob=probability),
        *_scaled_and_shifted(0.2, probability),
        mt.RandGaussianNoised("image", std=0.1, prob=probability),
    ]


if __name__ == "__main__":
    main()
