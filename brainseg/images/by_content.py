"""What files are whose names say nothing, told by who looks into them; and names that this contradicts.

Who looks is given from outside, as the contrast of a brain is measured in another room. Only what a person
asked for is done so: a name is never overruled.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from brainseg.images import nifti
from brainseg.images.file_names import WORKED_ON, NamedFile
from brainseg.images.scan_files import are_copies
from brainseg.images.source import Source
from brainseg.images.subject import Subject, identity_of

BY_CONTENT = "its content"
_T1 = ("t1", "t1ce")


@dataclass(frozen=True)
class Look:
    """What a scan looks like.

    Attributes:
        sequence: t1 (with contrast agent or without), t2 or flair; None if it is not sure.
        measures: What was measured, in words, or why nothing could be.
    """

    sequence: str | None
    measures: str


class Looker(Protocol):
    """Who looks into scans."""

    def look(self, source: Source) -> Look:
        """What a scan looks like; a file that cannot be read looks like nothing."""
        ...

    def is_brighter(self, one: Source, other: Source) -> bool | None:
        """Whether the first of two T1-like scans of a head has contrast agent; None if nobody can tell."""
        ...


Placed = tuple[NamedFile, object]  # a file, and the place that its subject's other files share


def named_by_content(files: Sequence[Placed], looker: Looker | None) -> Sequence[Placed]:
    """The same files, where those whose names say nothing are named by their content.

    Files of one folder are one subject's if no sequence is claimed twice, or with T1 twice if the two show
    one head; else each is a subject of its own. They join the subject of the folder where there is only one.
    """
    if looker is None:
        return files
    folders: dict[Path, list[Placed]] = defaultdict(list)
    for one in files:
        folders[one[0].path.parent].append(one)
    return [one for together in folders.values() for one in _in_folder(together, looker)]


def _in_folder(files: Sequence[Placed], looker: Looker) -> list[Placed]:
    named = [one for one in files if not _is_unnamed(one[0])]
    looks = {id(file): looker.look(Source(file.path)) for file, _ in files if _is_unnamed(file)}
    if not looks:
        return list(files)
    unnamed = [file for file, _ in files if _is_unnamed(file)]
    unsure = [_unsure(file, looks[id(file)]) for file in unnamed if looks[id(file)].sequence is None]
    found = [_seen(file, looks[id(file)]) for file in unnamed if looks[id(file)].sequence is not None]
    there = [file for file, _ in named if file.role == "image"]
    whose = {(identity_of(one), place) for one, place in named if one.role == "image"}
    folder: object = files[0][0].path.parent
    if len(whose) == 1:
        ((_, folder),) = whose
        found = _joining(there, found, looker)
    elif whose or not (together := _together(found, looker)):
        found = [replace(one, subject=nifti.stem(one.path)) for one in found]
    else:
        found = together
    return [*named, *((one, folder) for one in (*found, *unsure))]


def _is_unnamed(file: NamedFile) -> bool:
    return file.role == "other" and file.says_nothing


def _unsure(file: NamedFile, look: Look) -> NamedFile:
    why = f"{file.why}, and by {BY_CONTENT} it is not sure: {look.measures}"
    return replace(file, why=why, says_nothing=False)


def _seen(file: NamedFile, look: Look) -> NamedFile:
    remark = f"{file.path.name} was named {look.sequence} by {BY_CONTENT} ({look.measures})"
    if look.sequence == "t1":
        remark += "; whether it has contrast agent cannot be told from one scan"
    why = f"by {BY_CONTENT} ({look.measures})"
    return replace(file, role="image", sequence=look.sequence, why=why, rank=WORKED_ON, remark=remark)


def _joining(there: Sequence[NamedFile], found: Sequence[NamedFile], looker: Looker) -> list[NamedFile]:
    """Scans found beside those of one subject, as its own; left out where it has the sequence already."""
    own = {file.sequence: file for file in there}
    joined = []
    for one in found:
        file, other = _beside(one, own, looker)
        if other is None:
            own[file.sequence] = file
            joined.append(replace(file, subject=there[0].subject, entities=there[0].entities))
        else:
            why = f"looks like {file.sequence}, for which {other.path.name} is taken already ({file.why})"
            joined.append(replace(file, role="other", sequence=None, why=why, says_nothing=False, remark=""))
    return joined


def _beside(
    file: NamedFile, own: dict[str | None, NamedFile], looker: Looker
) -> tuple[NamedFile, NamedFile | None]:
    """A scan as it is named beside a subject's own, and the one of these that has its place already."""
    plain, agent = own.get("t1"), own.get("t1ce")
    if file.sequence != "t1" or (plain and agent) or not (plain or agent):
        return file, own.get(file.sequence)
    if plain is not None:
        is_agent = looker.is_brighter(Source(file.path), Source(plain.path))
        return (_with_agent(file, plain), None) if is_agent else (file, plain)
    assert agent is not None
    is_plain = looker.is_brighter(Source(agent.path), Source(file.path))
    return (_plain(file, agent), None) if is_plain else (file, agent)


def _together(found: Sequence[NamedFile], looker: Looker) -> list[NamedFile]:
    """All as one subject's, named as their folder; nothing where two claim one sequence."""
    claims: dict[str | None, list[NamedFile]] = defaultdict(list)
    for file in found:
        claims[file.sequence].append(file)
    for sequence, several in claims.items():
        first, others = several[0], [one for one in several[1:] if not are_copies(several[0].path, one.path)]
        if not others:
            continue
        if sequence != "t1" or len(others) > 1:
            return []
        is_first = looker.is_brighter(Source(first.path), Source(others[0].path))
        if is_first is None:
            return []
        agent, plain = (first, others[0]) if is_first else (others[0], first)
        pair = {id(agent): _with_agent(agent, plain), id(plain): _plain(plain, agent)}
        found = [pair.get(id(one), one) for one in found]
    if len(found) > 1:
        note = "; the files of this folder were taken as one patient's"
        found = [replace(one, remark=one.remark + note) for one in found]
    return [replace(one, subject="") for one in found]


def _with_agent(file: NamedFile, other: NamedFile) -> NamedFile:
    why = f"{file.why}, with bright vessels beside {other.path.name}"
    remark = f"{file.path.name} was named t1ce {why}"
    return replace(file, sequence="t1ce", why=why, remark=remark)


def _plain(file: NamedFile, agent: NamedFile) -> NamedFile:
    return replace(file, remark=f"{file.path.name} was named t1 {file.why}, beside {agent.path.name}")


def with_contradictions(subjects: list[Subject], looker: Looker | None) -> list[Subject]:
    """The same subjects, with a warning for each scan whose content contradicts what it was taken for."""
    if looker is None:
        return subjects
    return [
        replace(one, warnings=(*one.warnings, *_contradictions(one, looker))) if one.fault is None else one
        for one in subjects
    ]


def _contradictions(subject: Subject, looker: Looker) -> list[str]:
    said = []
    for name, source in subject.images.items():
        look = looker.look(source)
        likes = _T1 if look.sequence == "t1" else (look.sequence,)
        if look.sequence is not None and name not in likes:
            said.append(
                f"{source} was taken as {name}, but looks like {look.sequence}: {look.measures}; check "
                "which sequence it is"
            )
    return said
