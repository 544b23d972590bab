"""A new folder in place of an earlier one, of which only files known to be ours are removed.

The earlier folder is first put aside whole, as `.replaced-<name>-...`; then the new one is moved into place;
then all that is not ours goes back into the folder of that name, and our own files are removed. A run that is
killed at any moment leaves the earlier folder or the new one complete, and `recover` ends what it had begun.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.files.atomic import sha256
from brainseg.files.folders import beside, flush, in_use, left_behind, sweep, temporary_folder
from brainseg.results.sums import SUMS, read_sums

REPLACED = "replaced"
EDITED = "edited-"  # begins the name of a file of ours that someone has changed, and that has been kept
Known = Mapping[str, Collection[str]]  # by a file's name, each sha256 with which we have written it
KnownIn = Callable[[Path, str], Known]  # of a folder that was put aside, and of its name before that

log = logging.getLogger("brainseg")


@contextmanager
def replacement(target: Path, known_in: KnownIn) -> Iterator[Path]:
    """A new folder to fill, put in place of `target` at the end; removed on any failure.

    Args:
        target: The folder; its last part must be a plain name.
        known_in: What tells our files in the earlier folder from others.

    Raises:
        DataError: The name would lead out of the folder.
        ImageError: The disk is full, or the place may not be written to.
    """
    if target.name in ("", ".", ".."):
        raise DataError(f"{target}: is no name for a folder of results; give the scans names of their own")
    with temporary_folder(target) as folder:
        yield folder
        flush(folder)
        _put_in_place(folder, target, known_in)


def known_files(folder: Path, name: str = "") -> Known:
    """Our files in a subject's folder, by its SHA256SUMS. There are none where this is unreadable or remade.

    The sums beside the subjects' folders say what each list was when predict.py wrote it.
    """
    try:
        sums, own = read_sums(folder), sha256(folder / SUMS)
    except (DataError, OSError):
        return {}
    subject = name or folder.name
    try:
        written = read_sums(folder.parent).get(f"{subject}/{SUMS}", own)
    except DataError:  # a run that was killed before its end has written none
        written = own
    return {**{file: {digest} for file, digest in sums.items()}, SUMS: {own}} if written == own else {}


def recover(parent: Path, known_in: KnownIn) -> None:
    """Finish the replacements that killed runs began in this folder, and remove their unfinished files."""
    for old, name in left_behind(parent, REPLACED):
        if os.path.lexists(parent / name):
            _settle(old, parent / name, known_in(old, name))
        else:
            old.rename(parent / name)
            log.warning("%s: is as it was before a run that was to replace it, and was killed", parent / name)
    sweep(parent)


def remove_ours(folder: Path, known: Known) -> None:
    """Remove our files in a folder, and the folder itself where nothing else is left in it."""
    ours = [path for path in folder.iterdir() if _is_ours(path, known)]
    for path in sorted(ours, key=lambda path: path.name == SUMS):  # the list last: a later run may need it
        path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def keep_aside(path: Path) -> None:
    """Give a file that is not ours another name in its folder, so that ours can be written there."""
    kept = _free_name(path.parent, path.name, edited=True)
    path.rename(kept)
    log.warning("%s: is not what was written there; it is kept as %s", path, kept.name)


def _put_in_place(new: Path, target: Path, known_in: KnownIn) -> None:
    if target.is_symlink() or not target.is_dir() or not any(target.iterdir()):
        new.rename(target)  # which the system refuses where a file or a link is in the way
        return
    old = beside(target, REPLACED)
    with in_use(old):
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        _settle(old, target, known_in(old, target.name))


def _settle(old: Path, target: Path, known: Known) -> None:
    """Move all that is not ours from the old folder into the new one, and remove our files."""
    # Files that are not ours come first, so that each keeps its name; the edited ones take what is free.
    for path in sorted(old.iterdir(), key=lambda path: (path.name in known, path.name)):
        if _is_ours(path, known):
            continue
        kept = _free_name(target, path.name, edited=path.name in known)
        path.rename(kept)
        if kept.name != path.name:
            log.warning(
                "%s: had changed since it was written; it is kept as %s", target / path.name, kept.name
            )
    remove_ours(old, known)


def _is_ours(path: Path, known: Known) -> bool:
    return path.name in known and path.is_file() and sha256(path) in known[path.name]


def _free_name(folder: Path, name: str, *, edited: bool) -> Path:
    """Its own name, or one that says that it is not the file that was written under this name."""
    others = [f"{EDITED}{name}", *(f"{EDITED}{number}-{name}" for number in range(2, 1000))]
    names = others if edited else [name, *others]
    return next(folder / name for name in names if not os.path.lexists(folder / name))
