"""Brain masks, predicted by any tool, against true ones."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainseg.config.errors import DataError, UserError
from brainseg.evaluation.cases import ScoredCase, are_files, read_pair, write_scores
from brainseg.evaluation.pairs import by_subject, derived, subjects_with_labels
from brainseg.files.atomic import writing
from brainseg.images import nifti
from brainseg.images.layouts import Subject
from brainseg.metrics import brain_scores
from brainseg.metrics.summary import RESAMPLES
from brainseg.system.terminal import followed

SCORES = ("dice", "iou", "sensitivity", "specificity", "volume_error", "hd95_mm", "mean_surface_distance_mm")


@dataclass(frozen=True)
class BrainEvaluation:
    """All pairs, and each score's median over the scored ones with its interval of 95 %."""

    cases: list[ScoredCase]
    medians: dict[str, tuple[float, float, float]]

    @property
    def faults(self) -> list[ScoredCase]:
        return [case for case in self.cases if case.fault]


def evaluate_brains(truth: Path, guess: Path) -> BrainEvaluation:
    """Score the masks of a data set.

    Args:
        truth: A mask, or a folder of scans with their masks (`X_T1w_brainmask.nii.gz`, as NFBS has them; in
            BIDS also `X_desc-brain_mask.nii.gz` in derivatives/).
        guess: A mask, or a folder as predict.py leaves it: `X/X_brain_mask.nii.gz`, or for a sequence with a
            grid of its own `X/X_t2_brain_mask.nii.gz`. Those files may also lie in the folder itself.

    Raises:
        UserError: There is nothing to compare.
    """
    cases = [_scored(*pair) for pair in followed(list(_pairs(truth, guess)), "scoring masks")]
    known = [case.scores for case in cases if case.scores]
    medians = {name: median_interval([scores[name] for scores in known]) for name in SCORES} if known else {}
    return BrainEvaluation(cases, medians)


def write_brain_evaluation(found: BrainEvaluation, folder: Path) -> None:
    """Write scores.csv, with a row for each pair, and scores.json, which has the medians too."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(folder / "scores.csv", found.cases, SCORES)
    cases = [
        {"name": case.name, **case.scores, **({"fault": case.fault} if case.fault else {})}
        for case in found.cases
    ]
    medians = {
        name: dict(zip(("median", "low", "high"), values, strict=True))
        for name, values in found.medians.items()
    }
    with writing(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps({"cases": cases, "medians": medians}, indent=1) + "\n")


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and its interval of 95 %: percentiles over resamples of the cases (Efron 1979)."""
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(0).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(np.median(array[draws], axis=1), (2.5, 97.5))
    return float(np.median(array)), float(low), float(high)


def _pairs(truth: Path, guess: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Name, true mask and the predicted mask that belongs to it."""
    if are_files(truth, guess):
        yield nifti.stem(truth), truth, guess
        return
    found = False
    derivatives = by_subject(derived(truth, guess, role="mask"), "brain mask")
    for subject in subjects_with_labels(truth):
        masks = _masks_of(subject)
        if not masks and subject.id in derivatives:
            masks = {None: derivatives[subject.id]}
        for sequence, path in masks.items():
            found = True
            name = f"{subject.id} {sequence}" if len(masks) > 1 else subject.id
            yield name, path, _guess_of(guess, subject.id, sequence)
    if not found:
        raise DataError(f"{truth} has scans but no brain mask (*_brainmask.nii.gz) to compare with")


def _masks_of(subject: Subject) -> dict[str | None, Path]:
    """The true masks by sequence; None is the mask of the subject as a whole."""
    masks: dict[str | None, Path] = dict(subject.brain_masks.items())
    if subject.brain_mask is not None and subject.brain_mask not in masks.values():
        masks[None] = subject.brain_mask
    return masks


def _guess_of(folder: Path, subject: str, sequence: str | None) -> Path | None:
    names = [f"{subject}_{sequence}_brain_mask", f"{subject}_brain_mask"]
    for name in names:
        for parent in (folder / subject, folder):
            for extension in nifti.EXTENSIONS:
                if (path := parent / f"{name}{extension}").is_file():
                    return path
    return None


def _scored(name: str, truth: Path, guess: Path | None) -> ScoredCase:
    if guess is None:
        return ScoredCase(name, truth, None, {}, "no mask was predicted")
    try:
        true, predicted = read_pair(truth, guess)
        scores = brain_scores(true.data[0] > 0, predicted.data[0] > 0, true.grid.spacing_mm)
        return ScoredCase(name, truth, guess, scores)
    except UserError as error:
        return ScoredCase(name, truth, guess, {}, str(error))
