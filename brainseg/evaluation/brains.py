"""Brain masks, predicted by whatever tool, against true ones."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainseg.config.errors import DataError, GeometryError, UserError
from brainseg.files.atomic import writing
from brainseg.images import nifti
from brainseg.images.layouts import find_subjects
from brainseg.images.volume import Volume
from brainseg.metrics import brain_scores
from brainseg.metrics.summary import RESAMPLES

SCORES = ("dice", "iou", "sensitivity", "specificity", "volume_error", "hd95_mm", "mean_surface_distance_mm")


@dataclass(frozen=True)
class ScoredMask:
    """One pair of masks: its scores, or why there are none."""

    name: str
    truth: Path
    guess: Path | None
    scores: dict[str, float]
    fault: str = ""


@dataclass(frozen=True)
class Evaluation:
    """All pairs, and over those that could be scored the median of each score with its interval of 95 %."""

    masks: list[ScoredMask]
    medians: dict[str, tuple[float, float, float]]

    @property
    def faults(self) -> list[ScoredMask]:
        return [mask for mask in self.masks if mask.fault]


def evaluate_brains(truth: Path, guess: Path) -> Evaluation:
    """Score the masks of a data set.

    Args:
        truth: A mask, or a folder of scans with their masks (`X_T1w_brainmask.nii.gz`, as NFBS has them).
        guess: A mask, or a folder as predict.py leaves it: `X/X_brain_mask.nii.gz` or, of a sequence with a
            grid of its own, `X/X_t2_brain_mask.nii.gz`; those files may also lie in the folder itself.

    Raises:
        UserError: There is nothing to compare.
    """
    masks = [_scored(*pair) for pair in _pairs(truth, guess)]
    known = [mask.scores for mask in masks if mask.scores]
    medians = {name: median_interval([scores[name] for scores in known]) for name in SCORES} if known else {}
    return Evaluation(masks, medians)


def write_evaluation(found: Evaluation, folder: Path) -> None:
    """scores.csv, a row for each pair, and scores.json with the medians too."""
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / "scores.csv") as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", *SCORES, "fault", "truth", "guess"])
        for mask in found.masks:
            values = [mask.scores.get(name, "") for name in SCORES]
            table.writerow([mask.name, *values, mask.fault, mask.truth, mask.guess or ""])
    cases = [
        {"name": mask.name, **mask.scores, **({"fault": mask.fault} if mask.fault else {})}
        for mask in found.masks
    ]
    medians = {
        name: dict(zip(("median", "low", "high"), values, strict=True))
        for name, values in found.medians.items()
    }
    with writing(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps({"cases": cases, "medians": medians}, indent=1) + "\n")


def median_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The median, and the interval of 95 % of percentiles over resamples of the cases (Efron 1979)."""
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(np.median(array[draws], axis=1), (2.5, 97.5))
    return float(np.median(array)), float(low), float(high)


def _pairs(truth: Path, guess: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Name, true mask and the guess that belongs to it."""
    if are_files(truth, guess):
        yield nifti.stem(truth), truth, guess
        return
    found = False
    for subject in find_subjects(truth):
        masks: dict[str | None, Path] = dict(subject.brain_masks.items())
        if subject.brain_mask is not None and subject.brain_mask not in masks.values():
            masks[None] = subject.brain_mask
        for sequence, path in masks.items():
            found = True
            name = f"{subject.id} {sequence}" if len(masks) > 1 else subject.id
            yield name, path, _guess_of(guess, subject.id, sequence)
    if not found:
        raise DataError(f"{truth} has scans but no brain mask (*_brainmask.nii.gz) to compare with")


def _guess_of(folder: Path, subject: str, sequence: str | None) -> Path | None:
    names = [f"{subject}_{sequence}_brain_mask", f"{subject}_brain_mask"]
    for name in names:
        for parent in (folder / subject, folder):
            for extension in nifti.EXTENSIONS:
                if (path := parent / f"{name}{extension}").is_file():
                    return path
    return None


def _scored(name: str, truth: Path, guess: Path | None) -> ScoredMask:
    if guess is None:
        return ScoredMask(name, truth, None, {}, "no mask was predicted")
    try:
        there, found = read_pair(truth, guess)
        scores = brain_scores(there.data[0] > 0, found.data[0] > 0, there.grid.spacing_mm)
        return ScoredMask(name, truth, guess, scores)
    except UserError as error:
        return ScoredMask(name, truth, guess, {}, str(error))


def are_files(truth: Path, guess: Path) -> bool:
    """Whether both are files; else both are folders.

    Raises:
        UserError: One is not there, or only one is a folder.
    """
    for path in (truth, guess):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; check the path")
    if truth.is_file() and not guess.is_file():
        raise UserError(f"{truth} is one mask but {guess} is a folder; give two masks or two folders")
    if guess.is_file() and not truth.is_file():
        raise UserError(f"{truth} is a folder but {guess} is one mask; give two masks or two folders")
    return truth.is_file()


def read_pair(truth: Path, guess: Path) -> tuple[Volume, Volume]:
    """Two masks or label maps (1, X, Y, Z) of one grid."""
    there, found = nifti.read_labels(truth), nifti.read_labels(guess)
    if difference := found.grid.difference(there.grid):
        raise GeometryError(f"{guess} does not lie on the grid of {truth}: {difference}")
    return there, found
