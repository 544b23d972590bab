"""What a prediction leaves on disk: images on the scan's own grid, result.json, a montage."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import DataError
from brainseg.images.labels import Convention, from_classes
from brainseg.images.nifti import write
from brainseg.images.volume import Volume, ras_grid, resample_to, to_ras
from brainseg.prediction.classify import TumorType
from brainseg.prediction.scans import Scans
from brainseg.prediction.stages import Segmentation, Strip
from brainseg.reporting.montage import Scene, compose, draw_scene
from brainseg.reporting.vote import draw_vote
from brainseg.results.places import is_plain
from brainseg.results.provenance import RESULT, write_sums
from brainseg.results.replacing import known_files, replacement


@contextmanager
def folder_for(output: Path, name: str) -> Iterator[Path]:
    """A new folder `output/name`, complete or not there at all: it is moved into place at the end.

    Of an earlier one only the files that its SHA256SUMS names are removed, and only as they were written.
    """
    if not is_plain(name):
        raise DataError(f"{name!r} cannot name a folder in {output}; give the scans names of their own")
    with replacement(output / name, known_files) as folder:
        yield folder


def write_brain(folder: Path, name: str, scans: Scans, strip: Strip | None, mask: NDArray[np.bool_]) -> None:
    """The mask on the reference grid; each sequence without skull, its own grid and intensities kept."""
    write(folder / f"{name}_brain_mask.nii.gz", mask.astype(np.uint8), scans.grid)
    reference = Volume(mask[None].astype(np.uint8), scans.grid)
    for sequence, volume in scans.images.items():
        if strip is not None and sequence in strip.own:
            inside = strip.own[sequence]
        else:
            inside = resample_to(reference, scans.placed(sequence).grid, nearest=True).data[0] > 0
        if scans.difference(sequence):
            write(folder / f"{name}_{sequence}_brain_mask.nii.gz", inside.astype(np.uint8), volume.grid)
        if strip is not None:
            stripped = np.where(inside, volume.data[0], 0)
            write(folder / f"{name}_{sequence}_stripped.nii.gz", own_dtype(stripped, volume), volume.grid)


def write_tumor(folder: Path, name: str, scans: Scans, tumor: Segmentation, convention: Convention) -> None:
    write(folder / f"{name}_tumor_labels.nii.gz", from_classes(tumor.classes, convention), scans.grid)


def write_probabilities(
    folder: Path, name: str, scans: Scans, strip: Strip | None, tumor: Segmentation | None
) -> None:
    if strip is not None:
        write(folder / f"{name}_brain_probability.nii.gz", strip.probability, scans.grid)
    if tumor is not None:
        write(folder / f"{name}_tumor_probabilities.nii.gz", tumor.regions, scans.grid)


def scene_of(scans: Scans, mask: NDArray[np.bool_] | None, tumor: Segmentation | None) -> Scene:
    """Every sequence on the reference grid with what was found, along RAS: what pictures and pages show."""

    def ras(array_XYZ: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array_XYZ is None else to_ras(Volume(array_XYZ[None], scans.grid)).data[0]

    images = {sequence: to_ras(scans.on_reference(sequence)).data[0] for sequence in scans.images}
    classes = None if tumor is None else tumor.classes
    return compose(images, ras_grid(scans.grid), ras(mask), ras(classes))


def write_montage(folder: Path, name: str, title: str, note: str, scene: Scene) -> Path:
    """The picture's place is given back."""
    png = folder / f"{name}_montage.png"
    draw_scene(scene, title, note, png)
    return png


def write_vote(folder: Path, name: str, vote: TumorType) -> Path:
    """The picture's place is given back."""
    loudest, png = vote.loudest, folder / f"{name}_vote.png"
    title = f"{name}: {vote.said} on {vote.sequence}"
    draw_vote(
        vote.slices,
        loudest.number,
        loudest.image,
        loudest.heat,
        loudest.tumor,
        title,
        vote.reason,
        png,
    )
    return png


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """result.json, and the sums of all that the folder then holds."""
    (folder / RESULT).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    write_sums(folder)


def own_dtype(array: NDArray[np.float32], volume: Volume) -> NDArray[Any]:
    """Voxels in the type of the file that they came from, where that holds them exactly."""
    dtype = np.dtype(np.float32) if volume.grid.header is None else volume.grid.header.get_data_dtype()
    converted = array.astype(dtype)
    return converted if np.array_equal(converted.astype(np.float32), array) else array
