"""Which files a folder of slices holds: a folder for each tumour type, and who is shown in which slice."""

import csv
from collections.abc import Sequence
from pathlib import Path, PurePath

from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import DataError
from brainseg.images.jpeg import SUFFIXES

# As in masoudnickparvar/brain-tumor-mri-dataset, and in sartajbhuvaji/brain-tumor-classification-mri.
FOLDERS = {
    "glioma": ("glioma", "glioma_tumor"),
    "meningioma": ("meningioma", "meningioma_tumor"),
    "notumor": ("notumor", "no_tumor"),
    "pituitary": ("pituitary", "pituitary_tumor"),
}
WHERE_FROM = DATA_SETS["kaggle"].where_from


def slice_folders(root: Path) -> dict[str, Path]:
    """The folders of class folders by part: Training and perhaps Testing, or the root itself as Training.

    Raises:
        DataError: There is no such root.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {WHERE_FROM}")
    if not (root / "Training").is_dir():
        return {"Training": root}
    return {part: root / part for part in ("Training", "Testing") if (root / part).is_dir()}


def find_slices(folder: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Image files below a folder of class folders, each with the index of its class.

    Raises:
        DataError: The folder, or that of a class, is missing or holds no image.
    """
    found: list[tuple[Path, int]] = []
    for index, name in enumerate(classes):
        folders = [folder / alias for alias in FOLDERS[name] if (folder / alias).is_dir()]
        if not folders:
            raise DataError(
                f"{folder} has no folder for class {name} ({' or '.join(FOLDERS[name])}); {WHERE_FROM}"
            )
        files = sorted(path for path in folders[0].iterdir() if path.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(
                f"{folders[0]} holds no image ({', '.join(sorted(SUFFIXES))}); every class needs some"
            )
        found += [(path, index) for path in files]
    return found


def class_of(name: str) -> str | None:
    """The tumour type that the folders in a file's name say, the nearest first; None where none does."""
    named = {alias: kind for kind, aliases in FOLDERS.items() for alias in aliases}
    return next((named[one] for one in reversed(PurePath(name).parts[:-1]) if one in named), None)


def subjects_of(root: Path, names: Sequence[str]) -> list[str]:
    """Whom each slice shows, by the table root/subjects.csv (file, subject).

    A slice that the table does not name counts as a subject of its own.

    Raises:
        DataError: The table has other columns.
    """
    subjects = _subject_table(root / "subjects.csv")
    return [subjects.get(name, name) for name in names]


def _subject_table(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"file", "subject"} <= set(rows[0]):
        raise DataError(f"{path} must have the columns file and subject; it has {list(rows[0])}")
    return {row["file"]: row["subject"] for row in rows}
