"""What becomes of all files of a scan together: of X.img as of its header X.hdr."""

import os
from collections.abc import Iterator
from pathlib import Path

from brainseg.images import nifti
from brainseg.images.copies import are_equal
from brainseg.images.fates import Fate, FileFate


def fates_of(path: Path, fate: Fate, why: str, role: str = "") -> Iterator[FileFate]:
    """The fate of a file, and of those that hold its voxels, which share it."""
    yield FileFate((path,), fate, why, role)
    for other in (Path(os.path.normpath(one)) for one in nifti.files_of(path)):
        if other != path and other.is_file():
            yield FileFate((other,), fate, f"goes with {path.name}", role)


def are_copies(one: Path, other: Path) -> bool:
    """Whether two scans are equal in each of their files."""
    first, second = nifti.files_of(one), nifti.files_of(other)
    return len(first) == len(second) and all(map(are_equal, first, second))
