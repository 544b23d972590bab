"""Tumour label maps, predicted by any tool, against true ones, as a BraTS challenge scores them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, UserError
from brainseg.evaluation.cases import ScoredCase, read_pair, write_scores, write_table
from brainseg.evaluation.conventions import (
    ANY_LABEL,
    AUTO,
    any_label,
    convention_beside,
    extended,
    named,
    true_conventions,
)
from brainseg.evaluation.pairs import pairs_of
from brainseg.evaluation.suspicions import suspicions
from brainseg.files.atomic import writing
from brainseg.images.labels import CAVITY, CLASSES, REGIONS, TUMOR_REGIONS, Convention, to_classes
from brainseg.metrics import confusion_matrix, score_case
from brainseg.metrics.lesions import LesionScores
from brainseg.metrics.summary import Summary, summarised
from brainseg.system.terminal import followed

LESION_COLUMNS = ("name", "protocol", "region", "kind", "volume_mm3", "dice", "hd95_mm", "nsd", "counted")


@dataclass(frozen=True)
class TumorCase(ScoredCase):
    """A pair of label maps; its scores are named "dice/whole_tumor" and so on."""

    lesions: Mapping[str, LesionScores] = field(default_factory=dict)  # by region; none in brats-legacy
    confusion: NDArray[np.int64] | None = None  # voxels (5, 5): true class down, predicted class across


@dataclass(frozen=True)
class TumorEvaluation:
    """All pairs, each score summed up over the scored ones, and what in them is probably a mistake."""

    protocol: str
    cases: list[TumorCase]
    summaries: dict[str, Summary]
    suspicions: list[str]

    @property
    def faults(self) -> list[TumorCase]:
        return [case for case in self.cases if case.fault]


def evaluate_tumors(
    truth: Path,
    guess: Path,
    protocol: str,
    labels: str = AUTO,
    *,
    guess_labels: str | None = None,
    regions: Sequence[str] = (),
) -> TumorEvaluation:
    """Score the label maps of a data set.

    Args:
        truth: A label map, or a folder: any layout that has truths, BIDS with truths in derivatives/, or
            label maps alone.
        guess: A label map, or a folder: `X/X_tumor_labels.nii.gz` as predict.py leaves it, or files with the
            subjects' names (`X.nii.gz`, `X_seg.nii.gz`).
        protocol: See `metrics.score_case`.
        labels: The convention of all label maps, or "auto". Then the truths' follows from their names and
            values, and that of a guess from the result.json beside it; without one it is the truths'.
        guess_labels: The convention of the guesses alone, or "auto"; None: as `labels`.
        regions: Which of `REGIONS` are scored; none: those of the tumour, and the resection cavity where the
            true labels have a value for it. The whole tumour alone needs no convention where every label is
            tumour.

    Raises:
        UserError: There is nothing to compare, or the meaning of the labels is not certain.
    """
    asked = _known_regions(regions)
    given, guessed = named(labels), named(labels if guess_labels is None else guess_labels, "guess_labels")
    pairs = list(pairs_of(truth, guess))
    paths = [path for _, path, _ in pairs]
    conventions = dict.fromkeys(paths, given) if given else true_conventions(truth, paths, asked)
    cavity = any(one.has_cavity for one in conventions.values())
    if CAVITY in asked and not cavity:
        names = ", ".join(sorted({one.name for one in conventions.values()}))
        raise ConfigError(
            f"{truth}: the true labels ({names}) have no {CAVITY}; leave it out of --regions, or set "
            "--labels-truth brats-2024-post if label 4 is one"
        )
    if cavity and not regions:
        asked = [*asked, CAVITY]
    cases = [
        _scored(*pair, protocol, conventions[pair[1]], guessed, asked)
        for pair in followed(pairs, "scoring labels")
    ]
    known = [case for case in cases if case.scores]
    if not known:
        return TumorEvaluation(protocol, cases, {}, [])
    summaries = {name: summarised([case.scores[name] for case in known]) for name in known[0].scores}
    voxels = np.sum([case.confusion for case in known if case.confusion is not None], axis=0)
    return TumorEvaluation(protocol, cases, summaries, suspicions(voxels, summaries, asked, cavity=cavity))


def write_tumor_evaluation(found: TumorEvaluation, folder: Path) -> None:
    """Write scores.csv (a row for each case), lesions.csv (for each lesion), scores.json (with summaries)."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(folder / "scores.csv", found.cases, list(found.summaries), protocol=found.protocol)
    if found.protocol != "brats-legacy":
        write_table(folder / "lesions.csv", LESION_COLUMNS, list(_lesion_rows(found)))
    content = {
        "protocol": found.protocol,
        "summaries": {name: asdict(summary) for name, summary in found.summaries.items()},
        "suspicions": found.suspicions,
        "cases": [{"name": case.name, **case.scores, "fault": case.fault} for case in found.cases],
    }
    with writing(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(_strict(content), indent=1, allow_nan=False) + "\n")


def _lesion_rows(found: TumorEvaluation) -> Iterator[list[Any]]:
    for case in found.cases:
        for region, lesions in case.lesions.items():
            for one in lesions.lesions:
                kind = "found" if one.found else "missed" if one.volume_mm3 else "made up"
                nsd = "" if math.isnan(one.nsd) else one.nsd
                scores = [one.volume_mm3, one.dice, one.hd95_mm, nsd, one.counted]
                yield [case.name, found.protocol, region, kind, *scores]


def _strict(value: Any) -> Any:
    """The same with null for NaN and "infinite" for infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _strict(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(own) for own in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "infinite"
    return value


def _known_regions(regions: Sequence[str]) -> list[str]:
    """Those asked for, in the order of `REGIONS`; those of the tumour where none is."""
    if unknown := [name for name in regions if name not in REGIONS]:
        raise ConfigError(f"{unknown[0]} is no region; --regions takes some of {', '.join(REGIONS)}")
    return [name for name in REGIONS if name in (regions or TUMOR_REGIONS)]


def _scored(
    name: str,
    truth: Path,
    guess: Path | None,
    protocol: str,
    convention: Convention,
    guessed_in: Convention | None,
    regions: Sequence[str],
) -> TumorCase:
    if guess is None:
        return TumorCase(name, truth, None, {}, "nothing was predicted")
    try:
        true, predicted = read_pair(truth, guess)
        values = np.unique(predicted.data).tolist()
        guessed_in = guessed_in or convention_beside(guess) or extended(convention, values)
        if guessed_in.name == ANY_LABEL:
            guessed_in = any_label(values)
        true_classes = to_classes(true.data[0], convention, truth, "--labels-truth")
        guessed_classes = to_classes(predicted.data[0], guessed_in, guess, "--labels-guess")
    except UserError as error:
        return TumorCase(name, truth, guess, {}, str(error))
    scores, lesions = score_case(true_classes, guessed_classes, true.grid.spacing_mm, protocol, regions)
    confusion = confusion_matrix(guessed_classes.ravel(), true_classes.ravel(), len(CLASSES))
    return TumorCase(name, truth, guess, scores, lesions=lesions, confusion=confusion)
