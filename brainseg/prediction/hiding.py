"""What subjects are called in all that is written: as they are, by a hash, or by the user's table."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from brainseg.config import PredictConfig
from brainseg.config.errors import ConfigError, DataError
from brainseg.images.fates import FileFate
from brainseg.images.found import Survey
from brainseg.results.places import folder_name
from brainseg.system.pseudonyms import HASH, KEEP, Names, current, hide, named

COLUMNS = ("id", "name")


@contextmanager
def hiding(options: PredictConfig) -> Iterator[None]:
    """Within it nothing is written that tells who a subject is, unless names=keep.

    Raises:
        ConfigError: The table cannot be used.
    """
    with named(_names(options)):
        try:
            yield
        except Exception as error:
            _hide_in(error)
            raise


def _hide_in(error: BaseException | None) -> None:
    """Hide names in what an error and its causes say, as it is printed when they are not hidden any more."""
    if error is None or current() is None:
        return
    error.args = tuple(hide(one) if isinstance(one, str) else one for one in error.args)
    if isinstance(error, OSError) and error.filename is not None:
        error.filename = hide(str(error.filename))
    _hide_in(error.__cause__ or error.__context__)


def input_of(options: PredictConfig) -> Path:
    """The input; absolute where its name has to be found in every message."""
    return Path(options.input) if current() is None else Path(os.path.abspath(options.input))


def renamed(found: Survey, options: PredictConfig) -> Survey:
    """What was found, under the ids that are written. A subject with a fault needs no row in the table.

    Raises:
        DataError: The table lacks a subject, or two would have one name.
    """
    names = current()
    if names is None:
        return _that_name_folders(found)
    ids = [subject.id for subject in found.subjects]
    names.learn(*ids)
    usable = [subject.id for subject in found.subjects if subject.fault is None]
    if missing := names.unknown(usable):
        raise DataError(
            f"names={options.names}: has no row for {missing} of {len(usable)} subjects; add their ids, "
            "which are the names of the folders that names=keep would write"
        )
    new = {one: names.of(one) for one in ids}
    if len({name.casefold() for name in new.values()}) < len(ids):
        raise DataError(f"names={options.names}: gives two subjects one name; give each a name of its own")
    return _under(found, new)


def _that_name_folders(found: Survey) -> Survey:
    """What was found, where an id that cannot name a folder of results is another one, with a warning."""
    new = {one.id: folder_name(one.id) for one in found.subjects}
    said = "its id {!r} cannot name a folder of results, so it is {}; rename its files to choose another"
    subjects = [
        one
        if new[one.id] == one.id
        else replace(one, warnings=(*one.warnings, said.format(one.id, new[one.id])))
        for one in found.subjects
    ]
    return _under(replace(found, subjects=subjects), new)


def _under(found: Survey, new: Mapping[str, str]) -> Survey:
    """What was found under other ids."""
    subjects = [
        replace(subject, id=new[subject.id], fates=tuple(_of(subject.fates, new)))
        for subject in found.subjects
    ]
    return Survey(subjects, list(_of(found.fates, new)))


def _of(fates: Iterable[FileFate], new: Mapping[str, str]) -> Iterator[FileFate]:
    return (replace(one, subject=_new(one.subject, new)) for one in fates)


def _new(identity: str, new: Mapping[str, str]) -> str:
    """What a patient is called of whom nothing is used, too."""
    names = current()
    return new.get(identity) or (identity if names is None or not identity else names.of(identity))


def _names(options: PredictConfig) -> Names | None:
    if options.names == KEEP:
        return None
    return Names(None if options.names == HASH else _table(Path(options.names)), Path(options.input))


def _table(path: Path) -> dict[str, str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(
            f"names={path}: cannot be read ({error}); give keep, hash or a CSV with the columns id and name"
        ) from error
    if not rows or any(not row.get(column) for row in rows for column in COLUMNS):
        raise ConfigError(f"names={path}: needs the columns id and name, and both in each row")
    table = {row["id"].strip(): row["name"].strip() for row in rows}
    if len(table) < len(rows) or len(set(table.values())) < len(rows):
        raise ConfigError(f"names={path}: has an id or a name twice; give each subject one name of its own")
    return table
