"""Pictures of slices at a path: JPEG, PNG and the like, where there is no scan."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import DataError, ImageError
from brainseg.images import nifti
from brainseg.images.dicom_header import is_dicom
from brainseg.images.jpeg import SUFFIXES, opened
from brainseg.images.layouts import natural
from brainseg.images.source import Source
from brainseg.images.subject import Subject

LAYOUT = "slices"  # of a subject whose images are pictures, by their names below its folder
_OURS = "SHA256SUMS"  # lies in every folder that predict.py wrote
_MASK_ENDINGS = ("_mask", "-mask", "_seg", "-seg", "_label")


@dataclass(frozen=True)
class Pictures:
    """Pictures of slices, and the masks among them, which are none."""

    slices: list[Path]
    masks: list[Path]


def picture_subject(path: Path) -> Subject | None:
    """All pictures at a path as one subject; None where there is no picture, or a scan beside them.

    Its images have the files' names below the folder. Left out are hidden files, masks (X_mask.png), and
    what predict.py wrote.

    Args:
        path: A picture, or a folder that is searched to any depth.

    Raises:
        DataError: All pictures are masks.
    """
    if not path.exists():
        return None
    found = _within(path) if path.is_dir() else Pictures([path] if _is_picture(path) else [], [])
    if found.masks and not found.slices:
        raise DataError(f"{path}: holds masks alone, such as {found.masks[0]}; give pictures of slices")
    if not found.slices:
        return None
    folder = path if path.is_dir() else path.parent
    images = {file.relative_to(folder).as_posix(): Source(file) for file in found.slices}
    name = path.resolve().name if path.is_dir() else path.stem
    return Subject(name, folder, LAYOUT, images, warnings=tuple(_remarks(found)))


def _remarks(found: Pictures) -> Iterator[str]:
    if found.masks:
        yield f"left out as masks by their names: {len(found.masks)} files, such as {found.masks[0].name}"


def _within(folder: Path) -> Pictures:
    """The pictures of a folder; none as soon as a scan is met."""
    slices, masks, others = [], [], []
    for path in _files(folder):
        if nifti.is_nifti(path):
            return Pictures([], [])
        if path.suffix.lower() not in SUFFIXES:
            others.append(path)
        elif path.stem.lower().endswith(_MASK_ENDINGS):
            masks.append(path)
        else:
            slices.append(path)
    if (slices or masks) and any(map(_holds_dicom, others)):
        return Pictures([], [])
    return Pictures(slices, masks)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        if _OURS in names:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(parent) / name for name in sorted(names, key=natural) if not name.startswith("."))


def _holds_dicom(path: Path) -> bool:
    with suppress(ImageError):  # a file that may not be read is no scan
        return is_dicom(path)
    return False


def _is_picture(path: Path) -> bool:
    """Whether a file is a picture by its name or, where that says nothing, by its content."""
    if path.suffix.lower() in SUFFIXES:
        return True
    if nifti.is_nifti(path) or _holds_dicom(path):
        return False
    with suppress(ImageError), opened(path):
        return True
    return False
