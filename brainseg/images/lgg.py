"""Volumes out of the slices of the Kaggle LGG set (kaggle_3m, Buda et al. 2019): `PATIENT/PATIENT_7.tif`.

Each slice is a picture whose red, green and blue are T1, FLAIR and T1ce; a sequence that a patient lacks is
FLAIR once more. `PATIENT_7_mask.tif` is the whole tumour. Slice 1 is the lowest, and the face looks up.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainseg.config.errors import DataError, ImageError
from brainseg.images.fates import Fate, FileFate
from brainseg.images.jpeg import opened
from brainseg.images.layouts import Survey
from brainseg.images.patients import with_patient
from brainseg.images.source import Source
from brainseg.images.subject import Subject
from brainseg.images.volume import Grid, Spacing, Volume
from brainseg.images.walk import Found, walked

LAYOUT = "lgg"
CHANNELS = {"t1": 0, "flair": 1, "t1ce": 2}  # of the colours
# The files hold no voxel size. Assumed are 240 mm of 256 pixels, and slices that cover 150 mm of the head:
# 20 slices of 7.5 mm, 42 of 3.6 mm.
IN_PLANE_MM, COVERED_MM = 0.94, 150.0
_NAME = re.compile(r"(?P<patient>.+)_(?P<number>\d+)(?P<mask>_mask)?\.tiff?", re.IGNORECASE)


def survey_patients(root: Path) -> Survey:
    """The patients below a folder, each with its folder in the place of every image and of the truth.

    Every file is accounted for.

    Raises:
        DataError: There is none.
    """
    folders = sorted({path.parent for path in root.rglob("*_mask.tif*") if _NAME.fullmatch(path.name)})
    if not folders:
        raise DataError(f"{root}: holds no PATIENT/PATIENT_1.tif with PATIENT_1_mask.tif; check the folder")
    fates = [_fate(one, set(folders)) for one in walked(root)]
    subjects = [
        Subject(
            folder.name,
            folder,
            LAYOUT,
            {name: Source(folder) for name in CHANNELS},
            truth=folder,
            fates=tuple(one for one in fates if one.subject and one.path.parent == folder),
        )
        for folder in folders
    ]
    return Survey([with_patient(one, one.id, root) for one in subjects], fates)


def _fate(file: Found, folders: set[Path]) -> FileFate:
    path, name = file.path, _NAME.fullmatch(file.path.name)
    subject = path.parent.name if path.parent in folders else ""
    if not file.is_readable:
        return FileFate((path,), Fate.unreadable, file.why)
    if name is None or not subject or path.name.startswith("."):
        why = file.why or "is no slice or mask of a patient by its name"
        return FileFate((path,), Fate.left_out, why, subject=subject)
    role = "truth" if name["mask"] else "slice"
    return FileFate((path,), Fate.used, f"slice {name['number']} by its name", role, subject)


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """The slices of a patient from the lowest up, and their masks.

    Raises:
        ImageError: A slice or a mask is missing, or there is one too many.
    """
    found: dict[bool, dict[int, Path]] = {False: {}, True: {}}
    for path in sorted(folder.iterdir()):
        if (name := _NAME.fullmatch(path.name)) and not path.name.startswith("."):
            other = found[bool(name["mask"])].setdefault(int(name["number"]), path)
            if other != path:
                raise ImageError(f"{other} and {path.name} both claim to be slice {name['number']}; move one")
    slices, masks = found[False], found[True]
    wanted = set(range(1, max([*slices, *masks], default=0) + 1))
    for there, what in ((slices, "slice"), (masks, "mask of slice")):
        if missing := sorted(wanted - set(there)):
            raise ImageError(
                f"{folder}: has no {what} {missing[0]} of {len(wanted)}; fetch the patient again"
            )
    return [slices[n] for n in sorted(slices)], [masks[n] for n in sorted(masks)]


def read_patient(
    folder: Path, sequences: list[str], spacing_mm: Spacing | None = None
) -> tuple[Volume, NDArray[np.bool_]]:
    """Some sequences (C, X, Y, Z), and the whole tumour (X, Y, Z) on their grid.

    Args:
        folder: The patient's.
        sequences: Out of `CHANNELS`.
        spacing_mm: Voxel size along X, Y and Z; None: `assumed_spacing`.

    Raises:
        ImageError: A file is missing or damaged, or the patient lacks a sequence.
    """
    slices, masks = files_of(folder)
    colours = np.stack([_pixels(path, "RGB") for path in slices], axis=-1)  # (rows, columns, 3, Z)
    tumor = np.stack([_pixels(path, "L") for path in masks], axis=-1) > 127
    if colours[:, :, 0].shape != tumor.shape:
        raise ImageError(f"{folder}: its masks are of another size than its slices; fetch the patient again")
    images = {name: colours[:, :, channel] for name, channel in CHANNELS.items()}
    for name in sequences:
        if name not in images:
            raise ImageError(f"{folder}: the set has {', '.join(CHANNELS)}, and no {name}")
        if name != "flair" and np.array_equal(images[name], images["flair"]):
            raise ImageError(
                f"{folder}: has no {name}, its pictures show FLAIR twice; leave such patients out with "
                "data.skip_bad=true, or set segmenter.preprocess.modalities=[flair]"
            )
    x, y, z = spacing_mm or assumed_spacing(len(slices))
    data = np.stack([images[name].transpose(1, 0, 2) for name in sequences]).astype(np.float32)
    # Columns run to the patient's left and rows to the back.
    grid = Grid((data.shape[1], data.shape[2], data.shape[3]), np.diag([-x, -y, z, 1.0]))
    return Volume(data, grid), np.ascontiguousarray(tumor.transpose(1, 0, 2))


def assumed_spacing(n_slices: int) -> Spacing:
    """Voxel size of a patient of so many slices, mm."""
    return IN_PLANE_MM, IN_PLANE_MM, COVERED_MM / n_slices


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    with opened(path) as image:
        if mode == "RGB" and image.mode != "RGB":
            raise ImageError(f"{path}: is {image.mode}; a slice has three colours, one for each sequence")
        pixels: Image.Image = image.convert(mode)
        return np.asarray(pixels)
