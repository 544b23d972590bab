"""What the numbers in a tumour label file mean: the conventions, and which one a file follows.

The same 1, 2, 3 name different tissue in different data sets. So a convention is detected from values and
file names together; where both leave a doubt, the file is refused. Sources: the BraTS data pages of each
year, and `dataset.json` of the Medical Segmentation Decathlon, Task 01.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import LabelError

MOST_LISTED = 8  # label values in a message
CLASSES = ("background", "necrotic_core", "edema", "enhancing_tumor", "resection_cavity")
BACKGROUND, NECROTIC_CORE, EDEMA, ENHANCING_TUMOR, RESECTION_CAVITY = range(5)
CAVITY = CLASSES[RESECTION_CAVITY]
TUMOR_REGIONS: dict[str, tuple[int, ...]] = {
    "whole_tumor": (NECROTIC_CORE, EDEMA, ENHANCING_TUMOR),
    "tumor_core": (NECROTIC_CORE, ENHANCING_TUMOR),
    "enhancing_tumor": (ENHANCING_TUMOR,),
}
# The cavity that surgery left is no tumour: it is a region of its own, and no part of the whole tumour. De
# Verdier et al., "The 2024 BraTS challenge: glioma segmentation on post-treatment MRI", arXiv:2405.18368.
REGIONS: dict[str, tuple[int, ...]] = {**TUMOR_REGIONS, CAVITY: (RESECTION_CAVITY,)}


@dataclass(frozen=True)
class Convention:
    """A file value for each class.

    Attributes:
        name: As in `CONVENTIONS` and in `data.labels`.
        classes: File value to class index in `CLASSES`, background included. Two values may share a
            class; the first is the one written.
    """

    name: str
    classes: Mapping[int, int]

    @property
    def has_cavity(self) -> bool:
        """Whether a value stands for the resection cavity."""
        return RESECTION_CAVITY in self.classes.values()


CONVENTIONS: dict[str, Convention] = {
    name: Convention(name, MappingProxyType({0: BACKGROUND, **classes}))
    for name, classes in {
        # 2017 to 2021; 3 was merged into 1 in 2017.
        "brats-2018": {1: NECROTIC_CORE, 2: EDEMA, 4: ENHANCING_TUMOR},
        "brats-2023": {1: NECROTIC_CORE, 2: EDEMA, 3: ENHANCING_TUMOR},
        # After treatment: GLI 2024 and 2025, MET 2025.
        "brats-2024-post": {1: NECROTIC_CORE, 2: EDEMA, 3: ENHANCING_TUMOR, 4: RESECTION_CAVITY},
        "msd-task01": {1: EDEMA, 2: NECROTIC_CORE, 3: ENHANCING_TUMOR},
    }.items()
}

_OF_LAYOUT = {
    "brats-2018": ("brats-2018",),
    "brats-2023": ("brats-2023", "brats-2024-post"),
    "msd": ("msd-task01",),
}


def classes_with(*, cavity: bool) -> tuple[str, ...]:
    """The classes of a model or a label map, with or without the resection cavity, which is the last."""
    return CLASSES if cavity else CLASSES[:RESECTION_CAVITY]


def regions_with(*, cavity: bool) -> dict[str, tuple[int, ...]]:
    """The regions of a model or a label map, with or without that of the resection cavity, the last."""
    return REGIONS if cavity else TUMOR_REGIONS


def is_tumor(classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Where class indices, of any shape, are those of the whole tumour."""
    return np.asarray((classes != BACKGROUND) & (classes != RESECTION_CAVITY))


def without_cavity(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same class indices with background in the place of the resection cavity."""
    return np.where(classes == RESECTION_CAVITY, np.uint8(BACKGROUND), classes)


def detect(values: Iterable[float], layout: str | None, where: str | Path = "labels") -> Convention:
    """The one convention that fits both the values found and the way the files are named.

    Give the values of all label files of a data set together: one file alone may lack the telling ones.

    Args:
        values: What occurs in the files, e.g. {0, 1, 2, 4}.
        layout: `Subject.layout`. "brats-2018", "brats-2023" and "msd" bring their own convention;
            anything else, or None, says nothing about labels.
        where: The file or folder, for the message.

    Raises:
        LabelError: A value that no convention has; values that contradict the names; or more than one
            convention left. The message says which, and that `data.labels` decides.
    """
    found = set(values)
    _refuse_unknown(found, where)
    fitting = [
        name
        for name in _OF_LAYOUT.get(layout or "", CONVENTIONS)
        if found <= CONVENTIONS[name].classes.keys()
    ]
    if not fitting:
        raise LabelError(f"{where}: {_contradiction(found, str(layout))}")
    if layout in _OF_LAYOUT:
        return CONVENTIONS[fitting[0]]
    if 4 in found and 3 not in found:
        return CONVENTIONS["brats-2018"]
    raise LabelError(f"{where}: {_ambiguity(found, fitting)}")


def to_classes(
    array: NDArray[Any], convention: Convention, where: str | Path, setting: str = "data.labels"
) -> NDArray[np.uint8]:
    """Class indices as in `CLASSES`, from a file's values; any shape.

    Args:
        array: The file's values.
        convention: What they mean.
        where: The file, for the message.
        setting: What sets the convention, for the message.

    Raises:
        LabelError: A value that the convention does not have, with its number of voxels.
    """
    values, counts = np.unique(array, return_counts=True)
    foreign = [
        f"{v:g} ({n} voxels)" for v, n in zip(values, counts, strict=True) if v not in convention.classes
    ]
    if foreign:
        raise LabelError(
            f"{where}: has labels {_first(foreign)}, but {convention.name} knows "
            f"{_listed(convention.classes)} only; correct the file or set {setting}"
        )
    table = np.zeros(max(convention.classes) + 1, dtype=np.uint8)
    for value, index in convention.classes.items():
        table[value] = index
    return np.asarray(table[array.astype(np.intp)])


def from_classes(array: NDArray[Any], convention: Convention) -> NDArray[np.uint8]:
    """A file's values from class indices; any shape.

    Raises:
        LabelError: There is a resection cavity, for which the convention has no value.
    """
    if not convention.has_cavity and (array == RESECTION_CAVITY).any():
        raise LabelError(
            f"{convention.name} has no value for the resection cavity that is to be written; "
            "take labels=brats-2024-post"
        )
    table = np.zeros(len(CLASSES), dtype=np.uint8)
    for value, index in reversed(list(convention.classes.items())):
        table[index] = value
    return np.asarray(table[array])


def _refuse_unknown(found: set[float], where: str | Path) -> None:
    known = {value for convention in CONVENTIONS.values() for value in convention.classes}
    if found - known:
        raise LabelError(
            f"{where}: unknown labels {_listed(found - known)}; the conventions "
            f"{', '.join(CONVENTIONS)} have "
            f"{_listed(known)} only, so this may be another kind of file"
        )


def _contradiction(found: set[float], layout: str) -> str:
    if layout == "brats-2018" and {3, 4} <= found:
        return (
            "labels 3 and 4 under BraTS names: before 2017, 3 was non-enhancing tumour; add label 3 to "
            "label 1 as BraTS did since, or set data.labels=brats-2024-post if 4 is a resection cavity"
        )
    if layout == "brats-2018":
        return (
            f"labels {_listed(found)} under the names of BraTS 2018 to 2021, where enhancing tumour is "
            "4; if it was changed to 3 here, set data.labels=brats-2023"
        )
    expected = _listed(CONVENTIONS[_OF_LAYOUT[layout][0]].classes)
    return (
        f"labels {_listed(found)}, but files named the {layout} way have {expected}; "
        "set data.labels if the values are right"
    )


def _ambiguity(found: set[float], fitting: list[str]) -> str:
    if {3, 4} <= found:
        return (
            "labels 3 and 4 together are either brats-2024-post (4 = resection cavity) or BraTS before 2017 "
            "(3 = non-enhancing, 4 = enhancing tumour); set data.labels=brats-2024-post, or add label 3 to "
            "label 1"
        )
    return (
        f"labels {_listed(found)} are ambiguous: {', '.join(fitting)} all have them, with different "
        "meanings, and the file names do not tell; set data.labels to one of these, e.g. "
        f"data.labels={fitting[-1]}"
    )


def _listed(values: Iterable[float]) -> str:
    return _first([f"{v:g}" for v in sorted(values)])


def _first(words: Sequence[str]) -> str:
    """The first of them where they are many: a scan that was taken for a label map has thousands."""
    more = f" and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    return ", ".join(words[:MOST_LISTED]) + more
