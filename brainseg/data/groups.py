"""Slices, or scans, that belong together: copies, those of one patient, and what a table says."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brainseg.config.errors import DataError
from brainseg.files.there import refuse_no_table

NAME_COLUMNS = ("file", "id", "subject")  # as for the next
GROUP_COLUMNS = ("group", "subject", "patient", "patient_id", "patient_fold")  # the first that is there


def linked(n: int, ends: tuple[NDArray[np.integer], NDArray[np.integer]]) -> NDArray[np.int64]:
    """A group number (N,) for each of n places: the same for places that are linked, also through others.

    Args:
        n: How many places there are.
        ends: The two places of each link.
    """
    links = coo_array((np.ones(len(ends[0])), ends), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def joined_subjects(subjects: Sequence[str], groups: NDArray[np.int64]) -> list[str]:
    """A subject for each slice: the same for slices of one subject, and for slices of one group.

    Subjects that are joined get the name that comes first; without groups every slice keeps its own.
    """
    names, places = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
    n = len(names) + int(groups.max(initial=-1)) + 1
    number = linked(n, (places, len(names) + groups))  # each slice links its subject with its group
    first: dict[int, str] = {}
    for place, name in enumerate(names):
        first.setdefault(int(number[place]), str(name))
    return [first[int(number[place])] for place in places]


def read_groups(path: Path, names: Sequence[str], what: str = "slices") -> dict[str, str]:
    """The group of each slice, or scan, that a table names, by its name.

    The table is a CSV file with one of `NAME_COLUMNS` and one of `GROUP_COLUMNS`. A slice stands there as
    below the data set's root ("Training/glioma/a.jpg"), or by as much of the end of that as tells it from all
    others; a column `class` counts as the folder above it. A scan stands there by its subject's id. What the
    table does not name is in no group, and so is what has an empty group.

    Args:
        path: The table, with commas or semicolons.
        names: All slices, relative to the root; or the ids of all subjects.
        what: What messages call them.

    Raises:
        DataError: It has other columns, names none of these, or one twice with two groups, or a name in it
            fits several.
    """
    by_ending = _by_ending(names)
    found: dict[str, str] = {}
    for number, (file, group) in enumerate(_rows(path), start=2):
        fitting = by_ending.get(file, [])
        if len(fitting) > 1:
            raise DataError(
                f"{path}, line {number}: {file} may be {fitting[0]} or {fitting[1]}; write its name from the "
                "data set's folder on"
            )
        for name in fitting:
            if group and found.setdefault(name, group) != group:
                raise DataError(
                    f"{path}, line {number}: {file} is of group {group} here and of {found[name]} above; "
                    "leave one out"
                )
    if not found:
        raise DataError(
            f"{path}: names none of the {len(names)} {what}, such as {names[0] if names else 'none'}; "
            f"its column {'id' if what == 'subjects' else 'file'} must hold their names"
        )
    return found


def numbers_of(groups: Mapping[str, str], names: Sequence[str]) -> NDArray[np.int64]:
    """A number (N,) for each slice: the same for slices of one group; one of its own without a group."""
    keys = [f"group {groups[name]}" if name in groups else f"slice {name}" for name in names]
    return np.unique(np.array(keys, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def united(n: int, *numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number (N,) for each of n slices: the same where any of these numberings has the same."""
    first, second = [], []
    for one in numbers:
        order = np.argsort(one, kind="stable")
        same = one[order][1:] == one[order][:-1]
        first.append(order[:-1][same])
        second.append(order[1:][same])
    return linked(n, (np.concatenate(first), np.concatenate(second)))


def patients_of(own: Mapping[str, str], table: Mapping[str, str]) -> dict[str, str]:
    """A group for each subject: the table's, or else its patient.

    A patient of whom the table names some visits only stays together, with the groups of those.

    Args:
        own: The patient of each subject's id, as names and headers say it.
        table: The group of each id that a table names.
    """
    unnamed = {patient for name, patient in own.items() if name not in table}
    names = sorted(own)
    keys = [f"group {table[name]}" if name in table else f"patient {own[name]}" for name in names]
    wholes = [f"patient {own[name]}" if own[name] in unnamed else f"alone {name}" for name in names]
    numbers = united(len(names), *(np.unique(np.array(k), return_inverse=True)[1] for k in (keys, wholes)))
    first: dict[int, str] = {}
    return {name: first.setdefault(int(number), name) for name, number in zip(names, numbers, strict=True)}


def _by_ending(names: Sequence[str]) -> dict[str, list[str]]:
    """The slices that each end of a name fits: b/c.jpg and c.jpg for a/b/c.jpg."""
    found: dict[str, list[str]] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        for first in range(len(parts)):
            found.setdefault("/".join(parts[first:]), []).append(name)
    return found


def _rows(path: Path) -> list[tuple[str, str]]:
    """File and group of each row."""
    refuse_no_table(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise DataError(f"{path}: is no table in UTF-8 ({error}); save it as CSV") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    table = csv.DictReader(lines, delimiter=";" if ";" in header and "," not in header else ",")
    columns = table.fieldnames or []
    name = next((one for one in NAME_COLUMNS if one in columns), None)
    group = next((one for one in GROUP_COLUMNS if one in columns and one != name), None)
    if name is None or group is None:
        raise DataError(
            f"{path}: must have the columns file (or {', '.join(NAME_COLUMNS[1:])}) and group (or "
            f"{', '.join(GROUP_COLUMNS[1:])}); it has {', '.join(columns)[:200] or 'none'}"
        )
    return [(_file_of(row, name), (row[group] or "").strip()) for row in table if row[name]]


def _file_of(row: Mapping[str, str], column: str) -> str:
    file = row[column].strip().replace("\\", "/").removeprefix("./")
    kind = (row.get("class") or "").strip()
    return f"{kind}/{file}" if kind and "/" not in file else file
