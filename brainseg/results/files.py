"""What became of every file of the input: the part of a result, and files.csv for all subjects together."""

import csv
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from brainseg.files.atomic import NO_TEXT, writing
from brainseg.images.fates import Fate, FileFate
from brainseg.results.names import FILES
from brainseg.results.parts import FileUse
from brainseg.results.result import Result
from brainseg.results.table import without_formula
from brainseg.system.pseudonyms import current, hide

_Key = tuple[str, str | None, int, str | None]
COLUMNS = ("subject", "file", "fate", "role", "why")


def files_of(fates: Iterable[FileFate]) -> list[FileUse]:
    """The files of a subject as result.json has them; the slices of a series are one entry."""
    return [
        FileUse(hide(os.path.abspath(one.path)), one.fate, one.role or None, hide(one.why), len(one.paths))
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


def _key(subject: str, use: FileUse) -> _Key:
    """What tells a file, or the series of one folder, from others; where names are hidden, paths recur."""
    return use.file, use.role, use.count, None if current() is None else subject


def write_files(output: Path, fates: Iterable[FileFate], results: Iterable[Result]) -> None:
    """Write `output/files.csv`: a row for each file of this run, and for each that earlier results name.

    Args:
        output: The folder of the results.
        fates: Of all files below the input.
        results: All in the output; what one says of a file goes before what `fates` say of it.
    """
    named: dict[_Key, list[tuple[str, FileUse]]] = defaultdict(list)
    for result in results:
        for one in result.files:
            named[_key(result.subject, one)].append((result.subject, one))
    rows = []
    for fate in fates:
        (use,) = files_of([fate])
        subject = fate.subject
        if known := named.get(_key(subject, use)):
            subject, use = known.pop(0)
        rows += [
            (subject, hide(os.path.abspath(path)), str(use.fate), use.role or "", use.why)
            for path in fate.paths
        ]
    left = (one for several in named.values() for one in several)
    rows += [(subject, use.file, str(use.fate), use.role or "", use.why) for subject, use in left]
    with (
        writing(output / FILES) as temporary,
        temporary.open("w", encoding="utf-8", errors=NO_TEXT, newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([without_formula(value) for value in row] for row in rows)
