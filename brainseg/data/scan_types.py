"""Which tumour type each subject has: by a folder for each type, or by a column of participants.tsv."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.images.found import NoScanError, Survey
from brainseg.images.layouts import survey
from brainseg.images.preference import Choice
from brainseg.images.subject import Subject

PARTICIPANTS = "participants.tsv"
# What folders and tables call each type; case, "-", "_" and spaces do not count.
WORDS = {
    "glioma": ("glioma", "gliomatumor", "gli", "bratsgli", "glioblastoma", "gbm", "lgg", "hgg"),
    "meningioma": ("meningioma", "meningiomatumor", "men", "bratsmen"),
    "notumor": ("notumor", "healthy", "control", "controls", "normal", "none", "hc"),
    "pituitary": ("pituitary", "pituitarytumor", "pituitaryadenoma"),
}


def type_of(word: str) -> str | None:
    """The tumour type that a word stands for; None if it is none of `WORDS`."""
    plain = "".join(letter for letter in word.lower() if letter.isalnum())
    return next((kind for kind, words in WORDS.items() if plain in words), None)


def by_folders(root: Path, classes: Sequence[str], choice: Choice | None) -> tuple[Survey, dict[str, str]]:
    """The subjects in the folders of the classes, each searched by itself, and the class of each id.

    Ids and patients begin with the folder's name, as two sets may use one number for two people.

    Raises:
        DataError: A class has no folder, or no scan in it.
    """
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and type_of(path.name) in classes]
    missing = [name for name in classes if name not in [type_of(path.name) for path in folders]]
    if missing:
        raise DataError(
            f"{root} has no folder for class {missing[0]} ({', '.join(WORDS[missing[0]])}); give one folder "
            f"for each of {', '.join(classes)}, set volume_classifier.classes to those that are there, or "
            f"data.label to a column of {PARTICIPANTS}"
        )
    subjects: list[Subject] = []
    fates, types = [], {}
    for folder in folders:
        try:
            found = survey(folder, choice=choice)
        except NoScanError as error:
            raise DataError(f"class folder {error}") from None
        fates += found.fates
        for one in found.subjects:
            name, patient = f"{folder.name}/{one.id}", f"{folder.name}/{one.patient or one.id}"
            subjects.append(replace(one, id=name, patient=patient))
            types[name] = str(type_of(folder.name))
    return Survey(subjects, fates), types


def by_table(
    root: Path, column: str, classes: Sequence[str], choice: Choice | None
) -> tuple[Survey, dict[str, str]]:
    """The subjects that participants.tsv gives one of the classes, and the class of each id.

    Raises:
        DataError: There is no such table, column or class.
    """
    found = survey(root, choice=choice)
    table = _column(root / PARTICIPANTS, column)
    every = {one.id: _row_of(one, table) for one in found.subjects}
    types = {name: kind for name, kind in every.items() if kind is not None and kind in classes}
    missing = [name for name in classes if name not in types.values()]
    if missing:
        said = ", ".join(sorted({value for value in table.values() if value})[:8]) or "nothing"
        raise DataError(
            f"{root / PARTICIPANTS}: no subject below {root} has {missing[0]} in its column {column}, which "
            f"holds {said}; set volume_classifier.classes to those that are there, or mend the table"
        )
    return Survey([one for one in found.subjects if one.id in types], found.fates), types


def _row_of(subject: Subject, table: Mapping[str, str]) -> str | None:
    """The type that the table gives a subject, by its id, its patient, or its id without the session."""
    last = subject.patient.rpartition("/")[2]
    for name in (subject.id, subject.patient, last, subject.id.partition("_ses-")[0]):
        if name in table:
            return type_of(table[name])
    return None


def _column(path: Path, column: str) -> dict[str, str]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file, but data.label={column} names a column of it; write it (participant_id, "
            f"{column}), or set data.label=null for a folder to each class"
        )
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = list(rows[0]) if rows else []
    if "participant_id" not in columns or column not in columns:
        raise DataError(
            f"{path} must have the columns participant_id and {column} (data.label); it has "
            f"{', '.join(map(str, columns)) or 'no row'}"
        )
    return {row["participant_id"]: row[column] or "" for row in rows}
