"""A subject's sequences, read and brought to one grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import GeometryError, ImageError
from brainseg.config.schema import Align
from brainseg.images.layouts import Subject
from brainseg.images.reading import read
from brainseg.images.volume import Grid, Volume, resample_to
from brainseg.inference import fill_holes, largest_component

# What remains after stripping is the brain, about 0.9 to 1.9 l in adults, so a whole head is far above this.
LARGEST_BRAIN_ML = 2200.0
LEAST_EMPTY_SHARE = 0.35  # of exactly 0 voxels in a stripped scan's field of view


@dataclass(frozen=True)
class Scans:
    """The sequences of one subject.

    Args:
        images: Each sequence on its own grid, (1, X, Y, Z).
        reference: The sequence whose grid the results get.
        warnings: What was chosen of the files and done to bring them together, a sentence each.
    """

    images: dict[str, Volume]
    reference: str
    warnings: list[str]

    @property
    def grid(self) -> Grid:
        return self.images[self.reference].grid

    def on_reference(self, sequence: str) -> Volume:
        return resample_to(self.images[sequence], self.grid, nearest=False)


def read_scans(subject: Subject, needed: list[str], first: str | None, align: Align) -> Scans:
    """All sequences of a subject.

    Args:
        subject: From `find_subjects`.
        needed: The sequences that the models take.
        first: The sequence whose grid the results get, if the subject has it, else the first that it has.
        align: Whether sequences on other grids may be resampled.

    Raises:
        ImageError: A needed sequence is missing, or a file cannot be used.
        GeometryError: Grids differ and `align` is refuse, or they lie apart in the world.
    """
    refuse_without(subject, needed)
    images = {name: read(source) for name, source in subject.images.items()}
    reference = first if first in images else next(iter(images))
    warnings = list(subject.warnings)
    for name, volume in images.items():
        difference = volume.grid.difference(images[reference].grid)
        if difference is None:
            continue
        where = f"{subject.images[name]}: does not lie on the grid of {reference}: {difference}"
        if align is Align.refuse:
            raise GeometryError(f"{where}; register it, or set pipeline.align=resample")
        _refuse_apart(volume.grid, images[reference].grid, where)
        warnings.append(f"{name} was resampled to the grid of {reference} by its header ({difference})")
    return Scans(images, reference, warnings)


def refuse_without(subject: Subject, needed: list[str]) -> None:
    """Name the needed sequences that the subject does not have."""
    missing = [name for name in needed if name not in subject.images]
    if missing:
        raise ImageError(
            f"{subject.folder}: {subject.id} has {', '.join(subject.images)} but the models need "
            f"{', '.join(missing)} too; add the file, or leave out the stage that needs it"
        )


def brain_if_stripped(volume: Volume) -> NDArray[np.bool_] | None:
    """The brain mask of a scan that has been skull-stripped already, its non-zero voxels; None for a head.

    A stripped scan is exactly 0 in much of its field of view, and what is left is no larger than a brain.
    """
    filled = volume.data[0] != 0
    if filled.mean() > 1 - LEAST_EMPTY_SHARE:
        return None
    ml = filled.sum() * float(np.prod(volume.grid.spacing_mm)) / 1000
    if ml > LARGEST_BRAIN_ML:
        return None
    return np.asarray(fill_holes(largest_component(filled)), dtype=bool)


def _refuse_apart(one: Grid, other: Grid, where: str) -> None:
    """Two fields of view that hardly meet are not of one head, or one of the headers is wrong."""
    low = np.maximum(one.corners_mm().min(axis=0), other.corners_mm().min(axis=0))
    high = np.minimum(one.corners_mm().max(axis=0), other.corners_mm().max(axis=0))
    size = other.corners_mm().max(axis=0) - other.corners_mm().min(axis=0)
    shared = float(np.prod(np.clip(high - low, 0, None) / np.maximum(size, 1e-6)))
    if shared < 0.5:
        raise GeometryError(f"{where}; only {shared:.0%} of the fields of view overlap: check the headers")
