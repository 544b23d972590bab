"""Which convention the label maps of an evaluation follow: what was said, their names, and their values."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from brainseg.config.errors import ConfigError, DataError, LabelError, UserError
from brainseg.evaluation.cases import read_truth
from brainseg.files.plain import read_json
from brainseg.images import nifti
from brainseg.images.labels import CONVENTIONS, EDEMA, Convention, detect
from brainseg.images.layouts import survey
from brainseg.results.names import RESULT

AUTO = "auto"
WHOLE = "whole_tumor"
ANY_LABEL = "any-label"  # every value but 0 is tumour, whichever part of it
# Names of label maps in public data sets, with the layout that `labels.detect` knows their labels by.
_LAYOUTS = (
    (re.compile(r"brats-[a-z]+-.*-seg", re.IGNORECASE), "brats-2023"),
    (re.compile(r"brats(17|18|19|20|20\d\d)_.*_seg", re.IGNORECASE), "brats-2018"),
    (re.compile(r"BRATS_\d{3}"), "msd"),
)


def named(labels: str, option: str = "labels") -> Convention | None:
    """The convention of this name; None for "auto".

    Raises:
        ConfigError: There is none.
    """
    if labels == AUTO:
        return None
    if labels not in CONVENTIONS:
        raise ConfigError(f"{option} must be {AUTO} or one of {', '.join(CONVENTIONS)}, got {labels}")
    return CONVENTIONS[labels]


def true_conventions(where: Path, paths: Sequence[Path], regions: Sequence[str]) -> dict[Path, Convention]:
    """The convention of each true label map, by its layout and the values of all of that layout together.

    Args:
        where: The file or folder that was given.
        paths: The label maps in it.
        regions: That are scored. Where it is the whole tumour alone, labels that are ambiguous, or a single
            one, all count as tumour.

    Raises:
        LabelError: The meaning is not certain. The message says what decides it.
    """
    layouts = _layouts(where)
    of_path = {path: layouts.get(path) or layout_of(path) for path in paths}
    values: dict[str | None, list[set[float]]] = defaultdict(list)
    for path, layout in of_path.items():
        values[layout].append(_values_in(path))
    found = {layout: _convention(_telling(own), layout, where, regions) for layout, own in values.items()}
    return {path: found[layout] for path, layout in of_path.items()}


def layout_of(path: Path) -> str | None:
    """The layout that the name of a label map alone says, as BraTS-GLI-00005-100-seg.nii.gz does."""
    name = nifti.stem(path)
    return next((layout for pattern, layout in _LAYOUTS if pattern.fullmatch(name)), None)


def convention_beside(guess: Path) -> Convention | None:
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
        raise LabelError(
            f"{path}: does not say what the labels beside it mean; set --labels-guess"
        ) from error


def extended(convention: Convention, values: Iterable[float]) -> Convention:
    """The convention, or the one that adds the resection cavity to it where the values have one.

    4 beside 3 can be nothing else; 4 alone is the enhancing tumour of older labels as well.
    """
    other, found = CONVENTIONS["brats-2024-post"], set(values)
    adds = convention.classes.items() < other.classes.items()
    return other if adds and {3, 4} <= found <= set(other.classes) else convention


def any_label(values: Iterable[float]) -> Convention:
    """The convention in which each of these values but 0 is tumour."""
    return Convention(ANY_LABEL, {0: 0, **{int(v): EDEMA for v in sorted(values) if v}})


def _convention(values: set[float], layout: str | None, where: Path, regions: Sequence[str]) -> Convention:
    try:
        return detect(values, layout, where)
    except LabelError as error:
        if list(regions) == [WHOLE] and _is_all_tumor(values):
            return any_label(values)
        said = str(error).replace("data.labels", "--labels-truth")
        if len(values - {0}) == 1:
            said += "; where the one label is the whole tumour, set --regions whole_tumor"
        raise LabelError(said) from None


def _values_in(path: Path) -> set[float]:
    """The labels in a file; none where it cannot be read, which is said when its case is scored."""
    try:
        return {float(v) for v in np.unique(read_truth(path).data)}
    except UserError:
        return set()


def _telling(values: Sequence[set[float]]) -> set[float]:
    """The labels of all files; without those of single files that are no label map, which is said later."""
    known = {float(value) for one in CONVENTIONS.values() for value in one.classes}
    good = [own for own in values if own <= known]
    return set().union(*(good if any(good) else values))


def _is_all_tumor(values: set[float]) -> bool:
    """Whether every label is tumour in whatever convention: a single one, or those that all conventions know.

    3 and 4 together may be a resection cavity.
    """
    known: Mapping[int, int] = {value: 0 for one in CONVENTIONS.values() for value in one.classes}
    return len(values - {0}) == 1 or (values <= set(known) and not {3, 4} <= values)


def _layouts(where: Path) -> dict[Path, str]:
    """The layout of each true label map that lies beside its scans."""
    if not where.is_dir():
        return {}
    try:
        subjects = survey(where).subjects
    except DataError:  # label maps alone
        return {}
    return {subject.truth: subject.layout for subject in subjects if subject.truth is not None}
