"""Volumes out of the slices of the Kaggle LGG set (kaggle_3m, Buda et al. 2019): `PATIENT/PATIENT_7.tif`.

Each slice is a picture whose red, green and blue are T1, FLAIR and T1ce; a sequence that a patient lacks is
FLAIR once more. `PATIENT_7_mask.tif` is the whole tumour. Slice 1 is the lowest, and the face looks up.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainseg.config import SEQUENCES
from brainseg.config.errors import ImageError
from brainseg.images.jpeg import opened
from brainseg.images.volume import Grid, Remark, Spacing, Volume

CHANNELS = {"t1": 0, "flair": 1, "t1ce": 2}  # of the colours
# The files hold no voxel size. Assumed are 240 mm of 256 pixels, and slices that cover 150 mm of the head:
# 20 slices of 7.5 mm, 42 of 3.6 mm.
IN_PLANE_MM, COVERED_MM = 0.94, 150.0
NAME = re.compile(r"(?P<patient>.+)_(?P<number>\d+)(?P<mask>_mask)?\.tiff?", re.IGNORECASE)


def slices_of(folder: Path) -> list[Path]:
    """The slices of a patient from the lowest up.

    Raises:
        ImageError: A slice is missing, or there is one too many.
    """
    slices, masks = _numbered(folder)
    _refuse_gaps(folder, slices, "slice", max([*slices, *masks], default=0))
    return [slices[n] for n in sorted(slices)]


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """The slices of a patient from the lowest up, and their masks.

    Raises:
        ImageError: A slice or a mask is missing, or there is one too many.
    """
    slices, (_, masks) = slices_of(folder), _numbered(folder)
    _refuse_gaps(folder, masks, "mask of slice", len(slices))
    return slices, [masks[n] for n in sorted(masks)]


def _numbered(folder: Path) -> tuple[dict[int, Path], dict[int, Path]]:
    """Slices and masks by their numbers."""
    found: dict[bool, dict[int, Path]] = {False: {}, True: {}}
    for path in sorted(folder.iterdir()):
        if (name := NAME.fullmatch(path.name)) and not path.name.startswith("."):
            other = found[bool(name["mask"])].setdefault(int(name["number"]), path)
            if other != path:
                raise ImageError(f"{other} and {path.name} both claim to be slice {name['number']}; move one")
    return found[False], found[True]


def _refuse_gaps(folder: Path, there: dict[int, Path], what: str, n: int) -> None:
    if missing := sorted(set(range(1, n + 1)) - set(there)):
        raise ImageError(f"{folder}: has no {what} {missing[0]} of {n}; fetch the patient again")


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
    colours = _stacked(slices)
    tumor = np.stack([_pixels(path, "L") for path in masks], axis=-1) > 127
    if colours[:, :, 0].shape != tumor.shape:
        raise ImageError(f"{folder}: its masks are of another size than its slices; fetch the patient again")
    for name in sequences:
        if name not in CHANNELS:
            raise ImageError(f"{folder}: the set has {', '.join(CHANNELS)}, and no {name}")
        if _is_flair_again(colours, name):
            raise ImageError(
                f"{folder}: has no {name}, its pictures show FLAIR twice; leave such patients out with "
                "data.skip_bad=true, or set segmenter.preprocess.modalities=[flair]"
            )
    volume = _volume(colours, [CHANNELS[name] for name in sequences], spacing_mm)
    return volume, np.ascontiguousarray(tumor.transpose(1, 0, 2))


def read_tumor(folder: Path) -> Volume:
    """The whole tumour (1, X, Y, Z), 1 in it, on the grid that a prediction gives a patient.

    Raises:
        ImageError: A file is missing or damaged.
    """
    volume, tumor = read_patient(folder, ["flair"])
    return Volume(tumor[None].astype(np.uint8), volume.grid)


def read_colour(slices: Sequence[Path], channel: int) -> Volume:
    """One colour of a patient's slices, from the lowest up, (1, X, Y, Z); a remark says the assumed spacing.

    Raises:
        ImageError: A slice is missing or damaged.
    """
    volume = _volume(_stacked(slices), [channel], None)
    said = f"{assumption(len(slices))}, so sizes and volumes are rough"
    remark = Remark(said, doubts_header=False, assumes_size=True)  # true of every patient of the set
    return replace(volume, remarks=(remark,))


def sequences_of(slices: Sequence[Path]) -> dict[str, int]:
    """The sequences that a patient has, and their colours; without those that are FLAIR once more.

    Raises:
        ImageError: A slice is damaged.
    """
    there = {name: channel for name, channel in CHANNELS.items() if name == "flair"}
    for path in sorted(slices, key=lambda path: abs(slices.index(path) - len(slices) // 2)):
        if len(there) == len(CHANNELS):
            break
        colours = _stacked([path])
        there |= {name: at for name, at in CHANNELS.items() if not _is_flair_again(colours, name)}
    return {name: there[name] for name in SEQUENCES if name in there}


def assumption(n_slices: int) -> str:
    """E.g. "its pictures hold no voxel size, and 0.94 x 0.94 x 7.5 mm is assumed"."""
    sides = " x ".join(f"{side:.3g}" for side in assumed_spacing(n_slices))
    return f"its pictures hold no voxel size, and {sides} mm is assumed"


def _is_flair_again(colours: NDArray[np.uint8], name: str) -> bool:
    return name != "flair" and np.array_equal(colours[:, :, CHANNELS[name]], colours[:, :, CHANNELS["flair"]])


def _stacked(slices: Sequence[Path]) -> NDArray[np.uint8]:
    """(rows, columns, 3, slices)."""
    pictures = [_pixels(path, "RGB") for path in slices]
    for path, picture in zip(slices, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise ImageError(f"{path}: is of another size than {slices[0].name}; fetch the patient again")
    return np.stack(pictures, axis=-1)


def _volume(colours: NDArray[np.uint8], channels: list[int], spacing_mm: Spacing | None) -> Volume:
    """Some colours as the channels of a volume. Columns run to the patient's left and rows to the back."""
    x, y, z = spacing_mm or assumed_spacing(colours.shape[-1])
    data = np.stack([colours[:, :, channel].transpose(1, 0, 2) for channel in channels]).astype(np.float32)
    return Volume(data, Grid((data.shape[1], data.shape[2], data.shape[3]), np.diag([-x, -y, z, 1.0])))


def assumed_spacing(n_slices: int) -> Spacing:
    """Voxel size of a patient of so many slices, mm."""
    return IN_PLANE_MM, IN_PLANE_MM, COVERED_MM / n_slices


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    with opened(path) as image:
        if mode == "RGB" and image.mode != "RGB":
            raise ImageError(f"{path}: is {image.mode}; a slice has three colours, one for each sequence")
        pixels: Image.Image = image.convert(mode)
        return np.asarray(pixels)
