"""Pictures of slices at a path: JPEG, PNG and the like, where there is no scan."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from brainseg.config.errors import DataError, ImageError
from brainseg.images import nifti
from brainseg.images.dicom_file import is_dicom
from brainseg.images.fates import Fate, FileFate
from brainseg.images.found import Survey
from brainseg.images.jpeg import SUFFIXES, opened
from brainseg.images.source import Source
from brainseg.images.subject import Subject
from brainseg.images.walk import Found, walked

LAYOUT = "slices"  # of a subject whose images are pictures, by their names below its folder
_OURS = "SHA256SUMS"  # lies in every folder that predict.py wrote
ROLE = "picture"
_IS_PICTURE = "is a picture of a slice"
_MASK_ENDINGS = ("_mask", "-mask", "_seg", "-seg", "_label")


@dataclass(frozen=True)
class Pictures:
    """Pictures of slices, and the masks among them, which are none."""

    slices: list[Path]
    masks: list[Path]


def survey_pictures(path: Path) -> Survey | None:
    """All pictures at a path as one subject; None where there is no picture, or a scan beside them.

    Its images have the files' names below the folder. Left out are hidden files, masks (X_mask.png), and
    what predict.py wrote. Every file is accounted for.

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
    fates = [replace(one, subject=name) for one in _fates(path, found)]
    subject = Subject(name, folder, LAYOUT, images, warnings=tuple(_remarks(found)), fates=tuple(fates))
    return Survey([subject], fates)


def _fates(path: Path, found: Pictures) -> Iterator[FileFate]:
    if not path.is_dir():
        yield FileFate((path,), Fate.used, _IS_PICTURE, ROLE)
        return
    slices, masks = set(found.slices), set(found.masks)
    for one, why in _files(path):
        if one.path in slices:
            yield FileFate((one.path,), Fate.used, _IS_PICTURE, ROLE)
        elif not one.is_readable:
            yield FileFate((one.path,), Fate.unreadable, why)
        else:
            why = "is a mask by its name" if one.path in masks else why
            yield FileFate((one.path,), Fate.left_out, why or "is no picture by its name")


def _remarks(found: Pictures) -> Iterator[str]:
    if found.masks:
        yield f"left out as masks by their names: {len(found.masks)} files, such as {found.masks[0].name}"


def _within(folder: Path) -> Pictures:
    """The pictures of a folder; none as soon as a scan is met."""
    slices, masks, others = [], [], []
    for path in (one.path for one, why in _files(folder) if not why):
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


def _files(folder: Path) -> Iterator[tuple[Found, str]]:
    """All files, each with the reason why it is not looked at; empty where it is."""
    ours: dict[Path, bool] = {}
    for one in walked(folder):
        parent = one.path.parent
        if parent not in ours:
            ours[parent] = (parent / _OURS).is_file() or (parent != folder and ours.get(parent.parent, False))
        yield one, one.why or (f"lies in {parent.name}/, which predict.py wrote" if ours[parent] else "")


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
