"""Tumour label maps, predicted by whatever tool, against true ones, as a BraTS challenge counts them."""

import csv
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, DataError, LabelError, UserError
from brainseg.evaluation.brains import are_files, read_pair
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.images import nifti
from brainseg.images.labels import CLASSES, CONVENTIONS, REGIONS, Convention, detect, to_classes
from brainseg.images.layouts import find_subjects
from brainseg.metrics import confusion_matrix, score_case
from brainseg.metrics.lesions import LesionScores
from brainseg.metrics.summary import Summary, summarised

ENDINGS = ("_tumor_labels", "_seg", "-seg", "_dseg")  # of a label map's name, after the subject's


@dataclass(frozen=True)
class ScoredCase:
    """A pair of label maps: its scores ("dice/whole_tumor"), or why there are none."""

    name: str
    truth: Path
    guess: Path | None
    scores: Mapping[str, float]
    lesions: Mapping[str, LesionScores]  # by region; none in brats-legacy
    confusion: NDArray[np.int64] | None = None  # voxels (4, 4): true class down, predicted one across
    fault: str = ""


@dataclass(frozen=True)
class TumorEvaluation:
    protocol: str
    cases: list[ScoredCase]
    summaries: dict[str, Summary]
    suspicions: list[str]  # what cannot be, or hardly

    @property
    def faults(self) -> list[ScoredCase]:
        return [case for case in self.cases if case.fault]


def evaluate_tumors(truth: Path, guess: Path, protocol: str, labels: str = "auto") -> TumorEvaluation:
    """Score the label maps of a data set.

    Args:
        truth: A label map, or a folder: any layout that has truths, or label maps alone.
        guess: A label map, or a folder: `X/X_tumor_labels.nii.gz` as predict.py leaves it, or files with the
            subjects' names (`X.nii.gz`, `X_seg.nii.gz`).
        protocol: See `metrics.evaluate_case`.
        labels: The convention of both, or "auto": of the truths by layout and values; of the guesses by the
            result.json beside them, else as the truths.

    Raises:
        UserError: There is nothing to compare, or what the labels mean is in doubt.
    """
    pairs = list(_pairs(truth, guess))
    theirs = _convention(labels, truth, [path for _, path, _ in pairs])
    cases = [_scored(*pair, protocol, theirs, labels) for pair in pairs]
    known = [case for case in cases if case.scores]
    names = list(known[0].scores) if known else []
    summaries = {name: summarised([case.scores[name] for case in known]) for name in names}
    return TumorEvaluation(protocol, cases, summaries, _suspicions(known, summaries))


def write_tumor_evaluation(found: TumorEvaluation, folder: Path) -> None:
    """scores.csv with a row for each case, lesions.csv for each lesion, scores.json with summaries too."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(found.summaries)
    with writing(folder / "scores.csv") as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "protocol", *names, "fault", "truth", "guess"])
        for case in found.cases:
            values = [case.scores.get(name, "") for name in names]
            table.writerow([case.name, found.protocol, *values, case.fault, case.truth, case.guess or ""])
    if found.protocol != "brats-legacy":
        with writing(folder / "lesions.csv") as temporary, temporary.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(
                ["name", "protocol", "region", "kind", "volume_mm3", "dice", "hd95_mm", "nsd", "counted"]
            )
            for case in found.cases:
                table.writerows(
                    [case.name, found.protocol, region, *row]
                    for region, lesions in case.lesions.items()
                    for row in _lesion_rows(lesions)
                )
    content = {
        "protocol": found.protocol,
        "summaries": {name: asdict(summary) for name, summary in found.summaries.items()},
        "suspicions": found.suspicions,
        "cases": [{"name": case.name, **case.scores, "fault": case.fault} for case in found.cases],
    }
    with writing(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(_strict(content), indent=1, allow_nan=False) + "\n")


def _lesion_rows(lesions: LesionScores) -> Iterator[list[Any]]:
    for one in lesions.lesions:
        kind = "found" if one.found else "missed" if one.volume_mm3 else "made up"
        yield [
            kind,
            one.volume_mm3,
            one.dice,
            one.hd95_mm,
            "" if math.isnan(one.nsd) else one.nsd,
            one.counted,
        ]


def _strict(value: Any) -> Any:
    """JSON knows no NaN and no infinity: null, and the word."""
    if isinstance(value, dict):
        return {key: _strict(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(own) for own in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "infinite"
    return value


def _pairs(truth: Path, guess: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Name, true label map and the guess that belongs to it."""
    if are_files(truth, guess):
        yield subject_of(truth), truth, guess
        return
    truths = _truths(truth)
    if not truths:
        raise DataError(f"{truth} has no label map (*_seg.nii.gz, labelsTr/, *_dseg.nii.gz) to compare with")
    guesses = _by_subject(guess)
    for name, path in truths.items():
        yield name, path, guesses.get(name)


def _truths(folder: Path) -> dict[str, Path]:
    try:
        named = {subject.id: subject.truth for subject in find_subjects(folder) if subject.truth is not None}
    except DataError:  # no scan there: the label maps alone
        named = {}
    return named or _by_subject(folder)


def _by_subject(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if _is_label_map(path) and (other := found.setdefault(subject_of(path), path)) != path:
            raise UserError(
                f"{other} and {path} both claim to be the label map of {subject_of(path)}; move one"
            )
    return found


def _is_label_map(path: Path) -> bool:
    """By its name: of predict.py's files only that of the labels."""
    name = nifti.stem(path)
    others = ("_brain_mask", "_stripped", "_probability", "_probabilities")
    return nifti.is_nifti(path) and not name.startswith(".") and not name.endswith(others)


def subject_of(path: Path) -> str:
    """A label map's name without what says that it is one."""
    name = nifti.stem(path)
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def _convention(labels: str, where: Path, paths: Sequence[Path]) -> Convention:
    if labels != "auto":
        if labels not in CONVENTIONS:
            raise ConfigError(f"labels must be auto or one of {', '.join(CONVENTIONS)}, got {labels}")
        return CONVENTIONS[labels]
    values = {float(v) for path in paths for v in np.unique(nifti.read_labels(path).data)}
    try:
        layouts = {subject.layout for subject in find_subjects(where)} if where.is_dir() else set()
    except DataError:
        layouts = set()
    try:
        return detect(values, layouts.pop() if len(layouts) == 1 else None, where)
    except UserError as error:
        raise type(error)(str(error).replace("data.labels", "--labels")) from None


def _scored(
    name: str, truth: Path, guess: Path | None, protocol: str, theirs: Convention, labels: str
) -> ScoredCase:
    if guess is None:
        return ScoredCase(name, truth, None, {}, {}, fault="nothing was predicted")
    try:
        there, spacing_mm, found = _read_both(truth, guess, theirs, labels)
    except UserError as error:
        return ScoredCase(name, truth, guess, {}, {}, fault=str(error))
    scores, lesions = score_case(there, found, spacing_mm, protocol)
    confusion = confusion_matrix(found.ravel(), there.ravel(), len(CLASSES))
    return ScoredCase(name, truth, guess, scores, lesions, confusion)


def _read_both(
    truth: Path, guess: Path, theirs: Convention, labels: str
) -> tuple[NDArray[np.uint8], tuple[float, float, float], NDArray[np.uint8]]:
    there, found = read_pair(truth, guess)
    ours = theirs if labels != "auto" else _said_beside(guess) or theirs
    return (
        to_classes(there.data[0], theirs, truth),
        there.grid.spacing_mm,
        to_classes(found.data[0], ours, guess),
    )


def _said_beside(guess: Path) -> Convention | None:
    """What predict.py wrote of its labels.

    Raises:
        LabelError: It wrote something else.
    """
    path = guess.with_name("result.json")
    if not path.is_file():
        return None
    try:
        return CONVENTIONS[read_json(path)["label_convention"]["name"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(f"{path}: does not say what the labels beside it mean; set --labels") from error


def _suspicions(cases: Sequence[ScoredCase], summaries: Mapping[str, Summary]) -> list[str]:
    """Patterns that point to a mistake in the labels or in the table rather than to a bad network."""
    if not cases:
        return []
    voxels = np.sum([case.confusion for case in cases if case.confusion is not None], axis=0)
    found = [
        f"{CLASSES[value]} occurs in no predicted label map, but in true ones: do both mean the same?"
        for value in range(1, len(CLASSES))
        if voxels[value].any() and not voxels[:, value].any()
    ]
    for one, other in itertools.combinations(range(1, len(CLASSES)), 2):
        crossed, right = voxels[one, other] + voxels[other, one], voxels[one, one] + voxels[other, other]
        if crossed > right:
            found.append(
                f"{CLASSES[one]} and {CLASSES[other]} look swapped: {crossed} voxels have the other's label, "
                f"{right} their own; see --labels"
            )
    dices = {region: summaries[f"dice/{region}"] for region in REGIONS}
    core, enhancing = dices["tumor_core"], dices["enhancing_tumor"]
    if core.mean < enhancing.mean:
        found.append(
            f"Dice of tumor_core ({core.mean:.3f}) is below that of enhancing_tumor ({enhancing.mean:.3f}), "
            "which it holds: rare, look whether necrotic_core and edema are swapped"
        )
    if dices["whole_tumor"].mean < enhancing.mean:
        found.append(
            f"Dice of whole_tumor ({dices['whole_tumor'].mean:.3f}) is below that of enhancing_tumor "
            f"({enhancing.mean:.3f}), which it holds: rare, look at the labels"
        )
    for name, summary in summaries.items():
        same = f"{summary.mean:.3f}" == f"{summary.median:.3f}"
        if (
            name.startswith("dice/")
            and summary.n > 2
            and same
            and summary.quartiles[0] != summary.quartiles[1]
        ):
            found.append(f"{name}: mean and median are equal to three digits; was a number copied?")
    return found
