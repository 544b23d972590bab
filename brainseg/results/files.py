"""What became of every file of the input: the part of a result, and files.csv for all subjects together."""

import csv
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from brainseg.files.atomic import writing
from brainseg.images.fates import Fate, FileFate
from brainseg.results.parts import FileUse
from brainseg.results.places import FILES
from brainseg.results.result import Result
from brainseg.results.table import without_formula

COLUMNS = ("subject", "file", "fate", "role", "why")


def files_of(fates: Iterable[FileFate]) -> list[FileUse]:
    """The files of a subject as result.json has them; the slices of a series are one entry."""
    return [
        FileUse(os.path.abspath(one.path), one.fate, one.role or None, one.why, len(one.paths))
        for one in fates
    ]


def marked_unreadable(fates: Iterable[FileFate], error: str) -> list[FileFate]:
    """The same, where the used files that an error names are unreadable because of it."""
    return [
        replace(one, fate=Fate.unreadable, why=error)
        if one.fate is Fate.used and any(str(path) in error for path in one.paths)
        else one
        for one in fates
    ]


def write_files(output: Path, fates: Iterable[FileFate], results: Iterable[Result]) -> None:
    """Write `output/files.csv`: a row for each file of this run, and for each that earlier results name.

    Args:
        output: The folder of the results.
        fates: Of all files below the input.
        results: All in the output; what one says of a file goes before what `fates` say of it.
    """
    named = {one.file: (result.subject, one) for result in results for one in result.files}
    rows = []
    for fate in fates:
        subject, use = named.pop(os.path.abspath(fate.path), (fate.subject, None))
        role, said, why = (
            (fate.role, fate.fate, fate.why) if use is None else (use.role or "", use.fate, use.why)
        )
        rows += [(subject, os.path.abspath(path), str(said), role, why) for path in fate.paths]
    rows += [(subject, one.file, str(one.fate), one.role or "", one.why) for subject, one in named.values()]
    with writing(output / FILES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([without_formula(value) for value in row] for row in rows)
