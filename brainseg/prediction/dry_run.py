"""What a prediction would do with every file of its input, in a second: no model and no voxel is read."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from brainseg.config import PredictConfig
from brainseg.config.counted import counted
from brainseg.config.errors import ImageError
from brainseg.images.fates import Fate, FileFate, gathered, in_one_line
from brainseg.images.found import NoScanError, Survey
from brainseg.images.layouts import survey
from brainseg.images.lgg_patients import survey_lgg
from brainseg.images.nifti import check_header, is_nifti
from brainseg.images.pictures import survey_pictures
from brainseg.images.preference import Choice
from brainseg.images.subject import Subject
from brainseg.prediction.hiding import hiding, input_of, renamed
from brainseg.prediction.looking import looker_of
from brainseg.system.pseudonyms import current
from brainseg.system.terminal import cell, followed, say, show

FAILED = 4  # as of a prediction in which a subject fails


def dry_run(options: PredictConfig) -> int:
    """Print subject, sequence, file and reason of every file below the input.

    Returns:
        The exit code: 0, or 4 where a subject could not be predicted.

    Raises:
        UserError: There is no scan.
    """
    with hiding(options):
        root = input_of(options)
        try:
            found = survey_lgg(root) or survey_pictures(root)
            choice = Choice.of(options.choose)
            found = found or survey(root, options.sequence, choice, looker_of(options))
        except NoScanError as error:
            show(table_of_files(error.fates, root))
            raise
        chosen = found.only(options.only, root)
        return say_files(_share_of(renamed(chosen, options), options), root)


def _share_of(found: Survey, options: PredictConfig) -> Survey:
    """What one shard would do; files of subjects of the others are not shown."""
    own = found.share(options.shard, options.shards)
    others = {subject.id for subject in found.subjects} - {subject.id for subject in own.subjects}
    return replace(own, fates=[one for one in own.fates if one.subject not in others])


def say_files(found: Survey, root: Path) -> int:
    """Print the table of a survey, with the faults and warnings of its subjects; the exit code."""
    fates = [_with_header_read(one) for one in followed(found.fates, "reading headers")]
    show(table_of_files(fates, root))
    for subject in found.subjects:
        for line in _said_of(subject):
            say(line)
    say(f"{counted(len(found.subjects), 'subject')}; {in_one_line(fates)}")
    unreadable = {one.subject for one in fates if one.fate is Fate.unreadable and one.role}
    return FAILED if unreadable or any(one.fault for one in found.subjects) else 0


def table_of_files(fates: Iterable[FileFate], root: Path) -> Table:
    """A row for each file, and for each group of files that are left out for one reason."""
    table = Table("subject", "sequence", "file", "what became of it", "why")
    for one, more in gathered(fates):
        name = str(one.path)
        if current() is None and one.path.is_relative_to(root):
            name = one.path.relative_to(root).as_posix()
        if len(one.paths) > 1:
            name += f"/ ({len(one.paths)} files)"
        if more:
            name += f" and {more} more"
        table.add_row(*map(cell, (one.subject or "-", one.role or "-", name, one.fate, one.why)))
    return table


def _said_of(subject: Subject) -> Iterable[str]:
    if subject.fault is not None:
        yield f"{subject.id} would fail: {subject.fault}"
    yield from (f"{subject.id}: {warning}" for warning in subject.warnings)


def _with_header_read(one: FileFate) -> FileFate:
    """The same, unreadable where the header of a used NIfTI file makes no sense."""
    if one.fate is not Fate.used or not is_nifti(one.path):
        return one
    try:
        check_header(one.path)
        return one
    except ImageError as error:
        return replace(one, fate=Fate.unreadable, why=str(error))
