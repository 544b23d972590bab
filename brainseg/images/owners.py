"""Whose a file is that no scan needs: of the one subject beside it, or of that whose id begins its name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from brainseg.images.fates import Fate, FileFate
from brainseg.images.subject import Subject


def attributed(
    subjects: list[Subject], loose: list[FileFate], root: Path
) -> tuple[list[Subject], list[FileFate]]:
    """The subjects, and all fates; what lies beside the scans of one subject alone is that subject's.

    Args:
        subjects: With the fates of their own files.
        loose: The fates of all other files; some say whose the file is.
        root: The folder that was searched.
    """
    ids = {subject.id for subject in subjects}
    beside: dict[Path, set[str]] = defaultdict(set)
    for subject in subjects:
        for folder in _folders(subject.fates) or {subject.folder}:
            beside[folder].add(subject.id)
    for fate in loose:  # of a patient of whom nothing is used
        if fate.subject:
            for folder in _folders([fate]):
                beside[folder].add(fate.subject)
    extra: dict[str, list[FileFate]] = defaultdict(list)
    nobodys = []
    for fate in loose:
        owner = fate.subject or _owner(fate.paths[0], beside, root)
        if owner in ids:
            extra[owner].append(fate)
        else:
            nobodys.append(replace(fate, subject=owner))
    whole = [
        replace(
            s,
            fates=tuple(replace(one, subject=s.id) for one in (*s.fates, *extra[s.id])),
            warnings=(*s.warnings, *_lost_slices(s, extra[s.id])),
        )
        for s in subjects
    ]
    return whole, [*(one for subject in whole for one in subject.fates), *nobodys]


def _lost_slices(subject: Subject, beside: list[FileFate]) -> Iterator[str]:
    """A warning where files cannot be read that lie among the slices that are used."""
    if subject.layout != "dicom" or subject.fault is not None:
        return
    among = _folders(one for one in subject.fates if one.fate is Fate.used)
    lost = [
        one
        for one in (*subject.fates, *beside)
        if one.fate is Fate.unreadable and not among.isdisjoint(_folders([one]))
    ]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield (
            f"{lost[0].paths[0].name}{more} among its slices cannot be read ({lost[0].why}); see that no "
            "slice is missing at an end"
        )


def _folders(fates: Iterable[FileFate]) -> set[Path]:
    return {path.parent for one in fates for path in one.paths}


def _owner(path: Path, beside: dict[Path, set[str]], root: Path) -> str:
    """Whose a file is: of the one subject in its folder, or of that whose id begins its name; or nobody's."""
    for folder in path.parents:
        if folder == root != path.parent and len(beside) > 1:
            return ""  # a subject that lies in the root itself owns no folder there
        several = beside.get(folder, set())
        if len(several) == 1:
            return next(iter(several))
        if several:
            begun = [one for one in several if path.name.startswith(one)]
            return max(begun, key=len) if begun and folder == path.parent else ""
        if folder == root:
            break
    return ""
