"""Scans that a folder holds twice: under two tumour types they are two truths, in two parts a leak."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brainseg.config.counted import counted
from brainseg.config.errors import ImageError
from brainseg.images.source import Source, read
from brainseg.images.subject import Subject
from brainseg.images.volume import to_ras
from brainseg.system.terminal import followed

SHOWN = 20  # copies that are named


class Held(NamedTuple):
    """Whose scan it is, and of which sequence."""

    subject: str
    sequence: str


def same_scans(subjects: Sequence[Subject]) -> list[list[Held]]:
    """Groups of two or more scans of several subjects with the same voxels, whatever files hold them.

    Orientation, compression and data type of a file do not count. What cannot be read is in no group.
    """
    scans = [(Held(one.id, name), source) for one in subjects for name, source in one.images.items()]
    groups: dict[str, list[Held]] = defaultdict(list)
    for held, source in followed(scans, "reading scans", len(scans)):
        if (digest := _digest(source)) is not None:
            groups[digest].append(held)
    return [group for group in groups.values() if len({held.subject for held in group}) > 1]


def sentences(subjects: Sequence[Subject], types: Mapping[str, str]) -> list[str]:
    """What a person should know of the copies, those under two types first."""
    groups = same_scans(subjects)
    if not groups:
        return ["no scan is there under two subjects"]
    in_two = [group for group in groups if len({types[held.subject] for held in group}) > 1]
    ordered = [*in_two, *(group for group in groups if group not in in_two)]
    said = [
        f"{counted(len(groups), 'scan')} under several subjects, {len(in_two)} of them under two classes; "
        "leave all but one out, and look which class is right"
    ]
    for group in ordered[:SHOWN]:
        where = ", ".join(f"{held.subject} ({types[held.subject]}, {held.sequence})" for held in group)
        said.append(f"the same voxels: {where}")
    if len(ordered) > SHOWN:
        said.append(f"and {len(ordered) - SHOWN} more")
    return said


def _digest(source: Source) -> str | None:
    try:
        voxels = to_ras(read(source)).data
    except (ImageError, OSError):
        return None
    plain = np.ascontiguousarray(voxels, dtype=np.float32)
    return hashlib.sha256(repr(plain.shape).encode() + plain.tobytes()).hexdigest()
