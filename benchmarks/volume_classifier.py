"""One pass over a volume beside the vote of 27 slices, and what the pass is worth on real scans.

python benchmarks/volume_classifier.py phantoms VOLUME.ckpt --vote SLICES.ckpt --heads 200
python benchmarks/volume_classifier.py real VOLUME.ckpt DATA --brains DIR

`phantoms` makes heads that no training has seen, cuts them out by their true brain masks with the models'
margins, and shows both models the same scans: accuracy with paired intervals over the heads, and seconds of
one core. `real` tells gliomas (LGG of Kaggle, BraTS 2013) from scans without tumour (IXI, open_ms) below
DATA, sequence by sequence. The brains of the LGG heads are those that predict.py has found: DIR is its output
for these patients.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.config.prediction import VoteConfig
from brainseg.images.layouts import find_subjects
from brainseg.images.lgg import CHANNELS, read_patient
from brainseg.images.masks import with_margin
from brainseg.images.nifti import read_labels
from brainseg.images.source import read
from brainseg.images.volume import Volume, resample_to
from brainseg.inference.vote import likeliest
from brainseg.metrics.classification import RESAMPLES, roc_auc
from brainseg.phantom import make_subject
from brainseg.prediction.classify import TumorType, classify
from brainseg.prediction.scans import Scans
from brainseg.preprocess.volumes import prepare_volume
from brainseg.trained import ClassifierModel, VolumeClassifierModel

FIRST_SEED = 31_000_000  # far from those of any cohort
OFFSETS_MM = [0.0, 5.0, 10.0, 15.0, 20.0]


@dataclass(frozen=True)
class Scan:
    """A scan with what it shows: sequences on one grid, and the brain to cut out."""

    name: str
    kind: str
    images: Mapping[str, Volume]
    brain: NDArray[np.bool_]


def seen(model: VolumeClassifierModel, scan: Scan, names: list[str]) -> NDArray[np.float64]:
    """The probabilities (K,) that the model gives a scan of which it is shown some sequences."""
    every = list(model.config.preprocess.modalities)
    grid = next(iter(scan.images.values())).grid
    kept = with_margin(scan.brain, model.config.margin_mm, grid.spacing_mm)
    volume = Volume(np.concatenate([scan.images[name].data for name in names]), grid)
    how = replace(model.config.preprocess, modalities=names)
    prepared = prepare_volume(volume, how, kept).image
    image = torch.zeros(len(every), *prepared.shape[1:])
    image[[every.index(name) for name in names]] = torch.from_numpy(prepared)
    return model.probabilities(image, names)


def vote(model: ClassifierModel, scan: Scan, name: str) -> TumorType:
    """What 27 slices of one sequence say."""
    how = VoteConfig(sequence=name, offsets_mm=OFFSETS_MM, healthy_at=0.95, denoise_from=0.1, denoise_mm=2.0)
    return classify(Scans({name: scan.images[name]}, name), scan.brain, model, how)


def phantoms(options: argparse.Namespace) -> None:
    volume_model, slice_model = load_model(options.volume), load_model(options.vote)
    assert isinstance(volume_model, VolumeClassifierModel)
    assert isinstance(slice_model, ClassifierModel)
    classes = list(volume_model.config.classes)
    alone = [name for name in options.sequences if [name] in volume_model.subsets]
    shown = [("all", list(SEQUENCES)), *((name, [name]) for name in alone)]
    right: dict[str, list[bool]] = {}
    seconds: dict[str, list[float]] = {}
    for number in range(options.heads):
        kind = TUMOR_TYPES[number % len(TUMOR_TYPES)]
        one = make_subject(FIRST_SEED + number, tumor_type=kind, spacing_mm=options.spacing)
        images = {name: Volume(image[None], one.grid) for name, image in one.images.items()}
        scan = Scan(one.id, kind, images, one.brain)
        for label, names in shown:
            start = time.process_time()
            guess = classes[int(seen(volume_model, scan, names).argmax())]
            seconds.setdefault(f"volume, {label}", []).append(time.process_time() - start)
            right.setdefault(f"volume, {label}", []).append(guess == kind)
        for name in options.sequences:
            start = time.process_time()
            found = vote(slice_model, scan, name)
            took = time.process_time() - start
            for how, said in (("vote", found.verdict), ("vote's mean", likeliest(found.probabilities))):
                seconds.setdefault(f"{how}, {name}", []).append(took)
                right.setdefault(f"{how}, {name}", []).append(said == kind)
    kinds = np.array([TUMOR_TYPES[number % len(TUMOR_TYPES)] for number in range(options.heads)])
    print(f"{options.heads} phantoms of {options.spacing} mm, {options.volume} and {options.vote}")
    for label, found in right.items():
        hits = np.array(found, dtype=float)
        by_type = ", ".join(f"{kind} {hits[kinds == kind].mean():.2f}" for kind in TUMOR_TYPES)
        middle = np.median(seconds[label])
        print(f"{label:16} accuracy {_interval(hits)}  {by_type}  {middle:.3f} s of one core")
    for name in options.sequences:
        for label in ("all", *([name] if name in alone else [])):
            pair = np.array(right[f"volume, {label}"], float) - np.array(right[f"vote, {name}"], float)
            print(f"volume, {label} less vote, {name}: {_interval(pair)}")


def real(options: argparse.Namespace) -> None:
    model = load_model(options.volume)
    assert isinstance(model, VolumeClassifierModel)
    if not model.subsets:
        raise SystemExit(f"{options.volume} needs all of its sequences; give a model of subsets")
    classes = list(model.config.classes)
    glioma, none = classes.index("glioma"), classes.index("notumor")
    rows: list[dict[str, Any]] = []
    for scan in real_scans(options.data, options.brains):
        there = [name for name in SEQUENCES if name in scan.images]
        for label, names in [("all", there), *((name, [name]) for name in there)]:
            p = seen(model, scan, names)
            score = float(p[glioma] / (p[glioma] + p[none]))
            rows.append({"scan": scan.name, "kind": scan.kind, "shown": label, "score": score})
            rows[-1] |= {name: round(float(value), 4) for name, value in zip(classes, p, strict=True)}
    if options.table:
        with options.table.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    for label in ("all", *SEQUENCES):
        own = [row for row in rows if row["shown"] == label]
        score = np.array([row["score"] for row in own])
        ill = np.array([row["kind"] == "glioma" for row in own], dtype=bool)
        if not len(own) or not ill.any():
            continue
        guess = [max(classes, key=lambda name: row[name]) for row in own]
        named = sum(said == "glioma" for said, true in zip(guess, ill, strict=True) if true)
        healthy = sum(said == "notumor" for said, true in zip(guess, ill, strict=True) if not true)
        print(
            f"{label:5} {int(ill.sum())} gliomas, {int((~ill).sum())} without: AUC {_auc(score, ill)}; of "
            f"four types glioma is said of {named} gliomas, notumor of {healthy} without"
        )


def real_scans(data: Path, brains: Path | None) -> Iterator[Scan]:
    """The gliomas, then the scans without tumour."""
    for folder in sorted((data / "lgg" / "kaggle_3m").iterdir()) if brains else []:
        mask = next((brains / folder.name).rglob("*brain_mask.nii.gz"), None) if brains else None
        if mask is None or not folder.is_dir():
            continue
        images = {}
        for name in CHANNELS:
            try:
                images[name] = read_patient(folder, [name])[0]
            except Exception as error:  # a sequence that the patient lacks
                print(f"{folder.name}: {str(error).splitlines()[0][:100]}")
        yield _scan(folder.name, "glioma", images, read_labels(mask))
    for kind, places in (("glioma", ["brats13"]), ("notumor", ["ixi", "open_ms"])):
        for place in places:
            for subject in find_subjects(data / place):
                images = {name: read(source) for name, source in subject.images.items()}
                first = next(iter(images))
                path = subject.mask_of(first)
                one = images[first]
                mask_volume = (
                    Volume((one.data != 0).astype(np.int32), one.grid) if path is None else read_labels(path)
                )
                yield _scan(subject.id, kind, images, mask_volume)


def _scan(name: str, kind: str, images: Mapping[str, Volume], mask: Volume) -> Scan:
    grid = next(iter(images.values())).grid
    placed = {
        sequence: one if one.grid.difference(grid) is None else resample_to(one, grid, nearest=False)
        for sequence, one in images.items()
    }
    brain = mask if mask.grid.difference(grid) is None else resample_to(mask, grid, nearest=True)
    return Scan(name, kind, placed, brain.data[0] > 0)


def _interval(values: NDArray[np.floating[Any]]) -> str:
    """The mean with its interval of 95 %, by resampling the heads."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def _auc(score: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> str:
    rng = np.random.default_rng(0)
    ill, well = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not len(well):
        return "none: no scan without tumour"
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rng.choice(ill, len(ill)), rng.choice(well, len(well))])
        draws.append(roc_auc(score[chosen], positive[chosen]))
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{roc_auc(score, positive):.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("phantoms")
    one.add_argument("volume", type=Path)
    one.add_argument("--vote", type=Path, required=True)
    one.add_argument("--heads", type=int, default=200)
    one.add_argument("--spacing", type=float, default=3.0)
    one.add_argument("--sequences", nargs="+", choices=SEQUENCES, default=["t1ce"], help="each seen alone")
    one.set_defaults(run=phantoms)
    other = commands.add_parser("real")
    other.add_argument("volume", type=Path)
    other.add_argument("data", type=Path)
    other.add_argument("--brains", type=Path)
    other.add_argument("--table", type=Path, help="a CSV file for the probabilities of each scan")
    other.set_defaults(run=real)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
