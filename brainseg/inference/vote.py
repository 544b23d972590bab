"""The slices that vote on a volume's tumour type, and how their votes are counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, ImageError
from brainseg.images.planes import PLANES, cut

HEALTHY = "notumor"


@dataclass(frozen=True)
class VoteSlice:
    """One slice of a volume."""

    plane: str
    index: int  # along the axis that the plane cuts, voxels
    offset_mm: float  # from the centre, towards right, anterior or superior
    image: NDArray[Any]  # (rows, columns) as a radiologist sees it


def vote_slices(
    volume: NDArray[Any],
    centre: Sequence[float],
    spacing_mm: Sequence[float],
    offsets_mm: Sequence[float],
) -> list[VoteSlice]:
    """Slices through the centre and at each offset on both sides of it, in all three planes.

    The offsets 0, 5, 10, 15 and 20 mm give 27 slices. A slice outside of the volume is left out, and so
    is one that falls onto another where the spacing is coarse.

    Args:
        volume: (X, Y, Z) in RAS.
        centre: Voxel coordinates, e.g. the centre of the brain.
        spacing_mm: Voxel size along X, Y and Z, millimetres.
        offsets_mm: Distances from the centre, not negative.

    Raises:
        ImageError: Not a single slice lies in the volume.
    """
    signed = {sign * offset for offset in offsets_mm for sign in (1.0, -1.0)}
    outwards = sorted(signed, key=lambda mm: (abs(mm), -mm))
    slices: list[VoteSlice] = []
    for plane, axis in PLANES.items():
        taken: set[int] = set()
        for offset in outwards:
            index = int(np.floor(centre[axis] + offset / spacing_mm[axis] + 0.5))
            if 0 <= index < volume.shape[axis] and index not in taken:
                taken.add(index)
                slices.append(VoteSlice(plane, index, offset, cut(volume, plane, index)))
    if not slices:
        raise ImageError(
            f"no slice around voxel {tuple(centre)} lies in the volume of {volume.shape} voxels; "
            "give a centre inside the volume"
        )
    return slices


def likeliest(probabilities: Mapping[str, float]) -> str:
    """The class with the largest mean; it need not be the verdict."""
    return max(probabilities, key=lambda name: probabilities[name])


def verdict_of(probabilities: Mapping[str, float], healthy_at: float) -> str:
    """The class that probabilities of a subject speak for.

    It is "notumor" if its probability reaches `healthy_at`, otherwise the likeliest tumour type, even where
    "notumor" is likelier: as the student report has it, a healthy scan that goes on is better than a tumour
    that is missed.
    """
    tumours = {name: p for name, p in probabilities.items() if name != HEALTHY}
    if not tumours or probabilities.get(HEALTHY, 0.0) >= healthy_at:
        return HEALTHY
    return likeliest(tumours)


def shared_probability(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """How much probability two classifiers have in common: 1 if they say the same, 0 if the opposite.

    The sum of the smaller of their two probabilities of each class. Where they know different tumours, all
    tumours count as one class; None where one of them does not know "notumor" either.
    """
    if set(one) != set(other):
        if HEALTHY not in one or HEALTHY not in other:
            return None
        one, other = ({HEALTHY: both[HEALTHY], "": 1 - both[HEALTHY]} for both in (one, other))
    return min(1.0, sum(min(p, other[name]) for name, p in one.items()))


@dataclass(frozen=True)
class Verdict:
    """What the slices of a volume say together."""

    verdict: str
    probabilities: dict[str, float]  # mean over the slices
    n_slices: int


def combine_votes(
    probabilities: NDArray[np.floating[Any]], classes: Sequence[str], healthy_at: float
) -> Verdict:
    """The mean of the slices' probabilities, and what follows from it.

    The verdict is that of `verdict_of`.

    Args:
        probabilities: (N, K), one row per slice.
        classes: Names of the K columns, "notumor" among them.
        healthy_at: Mean probability from which a scan counts as healthy.

    Raises:
        ConfigError: The columns are not the classes, or "notumor" is not among them.
        ImageError: There is no slice.
    """
    if HEALTHY not in classes or probabilities.ndim != 2 or probabilities.shape[1] != len(classes):
        raise ConfigError(
            f"votes of shape {probabilities.shape} do not belong to classes {', '.join(classes)}; "
            f"there must be one column per class, {HEALTHY} among them"
        )
    if len(probabilities) == 0:
        raise ImageError("no slice has voted; the volume holds none at the offsets asked for")
    mean = dict(zip(classes, probabilities.mean(axis=0, dtype=np.float64).tolist(), strict=True))
    return Verdict(verdict_of(mean, healthy_at), mean, len(probabilities))
