"""Tumour label maps, predicted by any tool, against true ones, as a BraTS challenge scores them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, DataError, LabelError, UserError
from brainseg.evaluation.cases import ScoredCase, are_files, read_pair, write_scores, write_table
from brainseg.evaluation.suspicions import suspicions
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json
from brainseg.images import nifti
from brainseg.images.labels import CLASSES, CONVENTIONS, Convention, detect, to_classes
from brainseg.images.layouts import find_subjects
from brainseg.metrics import confusion_matrix, score_case
from brainseg.metrics.lesions import LesionScores
from brainseg.metrics.summary import Summary, summarised
from brainseg.results.read import RESULT

ENDINGS = ("_tumor_labels", "_seg", "-seg", "_dseg")  # of a label map's name, after the subject's


LESION_COLUMNS = ("name", "protocol", "region", "kind", "volume_mm3", "dice", "hd95_mm", "nsd", "counted")


@dataclass(frozen=True)
class TumorCase(ScoredCase):
    """A pair of label maps; its scores are named "dice/whole_tumor" and so on."""

    lesions: Mapping[str, LesionScores] = field(default_factory=dict)  # by region; none in brats-legacy
    confusion: NDArray[np.int64] | None = None  # voxels (4, 4): true class down, predicted class across


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


def evaluate_tumors(truth: Path, guess: Path, protocol: str, labels: str = "auto") -> TumorEvaluation:
    """Score the label maps of a data set.

    Args:
        truth: A label map, or a folder: any layout that has truths, or label maps alone.
        guess: A label map, or a folder: `X/X_tumor_labels.nii.gz` as predict.py leaves it, or files with the
            subjects' names (`X.nii.gz`, `X_seg.nii.gz`).
        protocol: See `metrics.score_case`.
        labels: The convention of all label maps, or "auto". Then the truths' follows from their layout and
            values, and that of a guess from the result.json beside it; without one it is the truths'.

    Raises:
        UserError: There is nothing to compare, or the meaning of the labels is not certain.
    """
    pairs = list(_pairs(truth, guess))
    convention = _true_convention(labels, truth, [path for _, path, _ in pairs])
    cases = [_scored(*pair, protocol, convention, labels) for pair in pairs]
    known = [case for case in cases if case.scores]
    if not known:
        return TumorEvaluation(protocol, cases, {}, [])
    summaries = {name: summarised([case.scores[name] for case in known]) for name in known[0].scores}
    voxels = np.sum([case.confusion for case in known if case.confusion is not None], axis=0)
    return TumorEvaluation(protocol, cases, summaries, suspicions(voxels, summaries))


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


def _pairs(truth: Path, guess: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Name, true label map and the predicted label map that belongs to it."""
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
    except DataError:  # the folder holds no scans but label maps alone
        named = {}
    return named or _by_subject(folder)


def _by_subject(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if _is_label_map(path) and (other := found.setdefault(subject_of(path), path)) != path:
            raise UserError(
                f"{other} and {path} both claim to be the label map of {subject_of(path)}; move one away"
            )
    return found


def _is_label_map(path: Path) -> bool:
    """Judged by its name: among predict.py's files only the label map is one."""
    name = nifti.stem(path)
    no_labels = ("_brain_mask", "_stripped", "_probability", "_probabilities")
    return nifti.is_nifti(path) and not name.startswith(".") and not name.endswith(no_labels)


def subject_of(path: Path) -> str:
    """A label map's name without the ending that says that it is one."""
    name = nifti.stem(path)
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def _true_convention(labels: str, where: Path, paths: Sequence[Path]) -> Convention:
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
    name: str, truth: Path, guess: Path | None, protocol: str, convention: Convention, labels: str
) -> TumorCase:
    if guess is None:
        return TumorCase(name, truth, None, {}, "nothing was predicted")
    try:
        true, predicted = read_pair(truth, guess)
        guessed_in = convention if labels != "auto" else _convention_beside(guess) or convention
        true_classes = to_classes(true.data[0], convention, truth)
        guessed_classes = to_classes(predicted.data[0], guessed_in, guess)
    except UserError as error:
        return TumorCase(name, truth, guess, {}, str(error))
    scores, lesions = score_case(true_classes, guessed_classes, true.grid.spacing_mm, protocol)
    confusion = confusion_matrix(guessed_classes.ravel(), true_classes.ravel(), len(CLASSES))
    return TumorCase(name, truth, guess, scores, lesions=lesions, confusion=confusion)


def _convention_beside(guess: Path) -> Convention | None:
    """The convention that the result.json beside a label map names; None without such a file.

    Raises:
        LabelError: The file names none of ours.
    """
    path = guess.with_name(RESULT)
    if not path.is_file():
        return None
    try:
        return CONVENTIONS[read_json(path)["label_convention"]["name"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(f"{path}: does not say what the labels beside it mean; set --labels") from error
