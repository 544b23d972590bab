"""The diameters of a mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from brainseg.images.masks import box_of
from brainseg.inference.components import largest_component

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Diameters:
    """The diameters of the largest piece of a mask, in mm.

    Attributes:
        largest: Between the two points that lie furthest apart in space.
        axial: The same within one axial slice, the one where it is longest.
        across: How far the piece reaches at right angles to that, in the same slice.
    """

    largest: float
    axial: float
    across: float


def diameters(mask: NDArray[np.bool_], spacing_mm: Spacing) -> Diameters | None:
    """The diameters of the largest piece (26-connected), from face to face of its voxels; None if empty.

    A row of n voxels along an axis is n voxels long. `axial` and `across` are what the RANO criteria
    multiply (Wen et al. 2010, table 2), but `across` counts how far a piece reaches, even where it is not
    convex and has gaps.

    Args:
        mask: (X, Y, Z) in RAS.
        spacing_mm: Voxel size along R, A and S.
    """
    if not mask.any():
        return None
    piece = largest_component(mask)
    box = box_of(piece)
    voxels = np.argwhere(piece[box]) + [side.start for side in box]
    longest, across = max(
        _in_slice(voxels[voxels[:, 2] == z, :2], spacing_mm) for z in np.unique(voxels[:, 2])
    )
    ends = _outer(_faces(voxels, np.array(spacing_mm)))
    return Diameters(round(float(pdist(ends).max()), 1), round(longest, 1), round(across, 1))


def _in_slice(voxels_XY: NDArray[np.int64], spacing_mm: Spacing) -> tuple[float, float]:
    points = _faces(voxels_XY, np.array(spacing_mm[:2]))
    ends = _outer(points)
    apart = squareform(pdist(ends))
    one, other = np.unravel_index(apart.argmax(), apart.shape)
    along = (ends[other] - ends[one]) / apart[one, other]
    sideways = points @ np.array([-along[1], along[0]])
    return float(apart[one, other]), float(np.ptp(sideways))


def _faces(voxels: NDArray[np.int64], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of each face of each voxel, mm."""
    steps = np.concatenate([np.eye(voxels.shape[1]), -np.eye(voxels.shape[1])]) / 2
    return np.asarray((voxels[:, None] + steps).reshape(-1, voxels.shape[1]) * spacing_mm)


def _outer(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull, among which the two furthest points are."""
    return np.asarray(points[ConvexHull(points).vertices])
