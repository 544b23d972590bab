"""Where results go: a folder that holds nothing but them, and a folder of its own for each subject."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.images.layouts import Subject
from brainseg.results.names import FILES, INDEX, RESULT, VOLUMES
from brainseg.results.sums import SUMS

BESIDE = (VOLUMES, FILES, INDEX)
TAKEN = (*BESIDE, SUMS)  # names of files beside the folders of subjects
_LONGEST = 160  # bytes of an id; a system allows 255 for a name, and files have words and numbers after it
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\]")  # ends of lines, half characters


def refuse_unfit_output(output: Path, subjects: Iterable[Subject]) -> None:
    """Refuse a folder for results that holds a scan, through whatever path or link.

    A folder within the input may be used: it holds no scan, and no file in it will be named like one.

    Raises:
        DataError: A scan lies in it.
    """
    _refuse_holding_a_scan(f"output={output}", output, subjects)


def refuse_unfit_derivatives(root: Path, output: Path, subjects: Iterable[Subject]) -> None:
    """Refuse a folder for BIDS derivatives that holds a scan, or that is the output.

    Raises:
        DataError: A scan lies in it, or it is the output.
    """
    if os.path.realpath(root) == os.path.realpath(output):
        raise DataError(f"derivatives={root}: is the output too; give each a folder of its own")
    _refuse_holding_a_scan(f"derivatives={root}", root, subjects)


def _refuse_holding_a_scan(setting: str, folder: Path, subjects: Iterable[Subject]) -> None:
    root = Path(os.path.realpath(folder))
    for subject in subjects:
        for file in _places_of(subject):
            if file.is_relative_to(root):
                raise DataError(f"{setting}: holds the scan {file}; give a folder for the results alone")


def _places_of(subject: Subject) -> Iterator[Path]:
    """Each file of a subject where it lies, and where a link leads."""
    for source in subject.images.values():
        for file in source.files:
            yield Path(os.path.realpath(file.parent)) / file.name
            yield Path(os.path.realpath(file))


def refuse_unfit_ids(output: Path, subjects: Iterable[Subject]) -> None:
    """Refuse ids that cannot name a folder in the output, and folders there that predict.py has not written.

    Raises:
        DataError: There is such an id or such a folder.
    """
    for subject in subjects:
        if not is_plain(subject.id):
            raise DataError(
                f"{subject.folder}: its scans would be the subject {subject.id!r}, which cannot name a "
                f"folder in {output}; rename them, or put them into a folder with a name"
            )
        refuse_other_files(output / subject.id)


def is_plain(name: str) -> bool:
    """Whether a name is one of a folder directly in the output: not hidden, and not the name of our files."""
    parts_it = {"/", "\\", "\0", os.sep} & set(name)
    return bool(name) and not parts_it and not name.startswith(".") and name not in TAKEN


def folder_name(identity: str) -> str:
    """The id, or one like it where it cannot name a folder: too long, a name of ours, no plain text."""
    clean = _NO_TEXT.sub("_", identity).lstrip(".")
    clean = clean.encode()[:_LONGEST].decode(errors="ignore")
    if clean == identity and is_plain(identity):
        return identity
    digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:6]
    return f"{clean or 'unnamed'}-{digest}"


def refuse_other_files(folder: Path) -> None:
    """Refuse a folder that predict.py has not written, as nothing in it is known to be ours.

    Raises:
        DataError: It holds files but no list of ours, or it is not a folder.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise DataError(f"{folder}: is no folder, so no result can be written there; give another output=")
    names = sorted(path.name for path in folder.iterdir())
    if names and not ((folder / RESULT).is_file() and (folder / SUMS).is_file()):
        more = " and others" if len(names) > 3 else ""
        raise DataError(
            f"{folder}: holds {', '.join(names[:3])}{more}, and no {RESULT} with {SUMS} of an earlier "
            "prediction, so overwrite=true would not replace it either; give another output="
        )
