"""A glance at a folder: which data set it looks like, by the names of some of its files."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_DEPTH, _ENTRIES, _FOLDERS = 4, 300, 1000  # what is looked at: levels, names of each folder, folders
_VOLUME = re.compile(r"\.(nii|nii\.gz|mgz|mgh|mha|mhd|nrrd|hdr|img|dcm|ima)$", re.IGNORECASE)
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|gif|webp|tiff?)$", re.IGNORECASE)
_TYPE = re.compile(r"^(glioma|meningioma|notumor|no_tumor|pituitary)(_tumor)?$", re.IGNORECASE)
_BRAIN = re.compile(r"mask|brain", re.IGNORECASE)
_BRAIN_MASK = re.compile(r"brain_?mask", re.IGNORECASE)
_TUMOR = re.compile(r"seg|label|tumou?r|truth|annot|lesion|gtv|ctv|roi", re.IGNORECASE)
_LGG = re.compile(r"_mask\.tiff?$", re.IGNORECASE)


def kinds_at(root: Path) -> list[str]:
    """The names of the data sets that a folder may hold, the likeliest first; none if it cannot be told."""
    files = list(_some_files(root))
    typed = {file.parent.name.lower() for file in files if _PICTURE.search(file.name)}
    return [
        *_of_volumes([file.name for file in files if _VOLUME.search(file.name)], len(files)),
        *(["kaggle"] if len([name for name in typed if _TYPE.match(name)]) > 1 else []),
        *(["lgg"] if any(_LGG.search(file.name) for file in files) else []),
    ]


def _of_volumes(names: list[str], looked_at: int) -> list[str]:
    """Both kinds of volumes, unless the names tell that the truth of one is not there."""
    brains, masks, tumors = (
        any(found.search(name) for name in names) for found in (_BRAIN, _BRAIN_MASK, _TUMOR)
    )
    if not names:
        return []
    all_seen = looked_at < _ENTRIES
    if all_seen and masks and not tumors:
        return ["nfbs"]
    return ["brats"] if all_seen and tumors and not brains else ["brats", "nfbs"]


def _some_files(root: Path) -> Iterator[Path]:
    """The first files of the first folders, level by level."""
    level, left = [root], _FOLDERS
    for _ in range(_DEPTH):
        found = [path for folder in level[:left] for path in _first_entries(folder)]
        left -= len(level)
        level = [path for path in found if path.is_dir()]
        yield from (path for path in found if not path.is_dir())
        if left <= 0:
            return


def _first_entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in islice(entries, _ENTRIES)]
    except OSError:
        return []
