"""Measures of an outlined tumour (X, Y, Z) in RAS, with the brain around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from brainseg.gates import atlas
from brainseg.images.labels import EDEMA, RESECTION_CAVITY, is_tumor
from brainseg.images.masks import Box, box_of
from brainseg.images.volume import Grid, Spacing

Bool = NDArray[np.bool_]
LEAST_PIECE_ML = 0.1
UNSURE = (0.2, 0.8)
BORDER_MM = 1.0
EVERYWHERE = np.ones((3, 3, 3), dtype=bool)  # neighbours by a corner too


@dataclass(frozen=True)
class TumorShape:
    """Measures of an outlined tumour.

    Args:
        ml: Its volume; where this is 0, nothing else but the cavity has a meaning.
        pieces: How many pieces of at least LEAST_PIECE_ML it has.
        outside: Share of it outside of the brain mask, less what a border that is off by BORDER_MM explains
            along half of the surface of a ball of its volume.
        at_edge: Share of its surface that lies on the edge of the brain mask, or outside.
        unsure: Volume with a probability in UNSURE, as a multiple of its own.
        depth_mm: From the brain's surface to its nearest part, without oedema unless there is nothing else.
        sella_mm: From its middle, likewise without oedema, to where the sella should be.
        cavity_ml: Volume of the resection cavity, which is no part of it.
    """

    ml: float
    pieces: int = 0
    outside: float = 0.0
    at_edge: float = 0.0
    unsure: float = 0.0
    depth_mm: float = 0.0
    sella_mm: float = 0.0
    cavity_ml: float = 0.0


def shape_of_tumor(
    classes: NDArray[np.uint8], whole: NDArray[np.float32], brain: Bool | None, grid: Grid
) -> TumorShape:
    """Measures of an outline; a resection cavity is no part of it.

    Args:
        classes: Class of each voxel.
        whole: Probability of the whole tumour.
        brain: The brain mask; where there is None, the measures that need it are 0.
        grid: The grid of all three, in RAS.
    """
    tumor, spacing_mm = is_tumor(classes), grid.spacing_mm
    cavity_ml = float(np.count_nonzero(classes == RESECTION_CAVITY) * grid.voxel_ml)
    voxels = np.count_nonzero(tumor)
    if not voxels:
        return TumorShape(0.0, cavity_ml=cavity_ml)
    around = box_of(tumor, margin=(1, 1, 1))
    tumor = tumor[around]
    labels, _ = ndimage.label(tumor, structure=EVERYWHERE)
    sizes = np.bincount(labels.ravel())[1:] * grid.voxel_ml
    unsure = np.count_nonzero((whole > UNSURE[0]) & (whole < UNSURE[1])) / voxels
    ml, pieces = float(voxels * grid.voxel_ml), int((sizes >= LEAST_PIECE_ML).sum())
    if brain is None:
        return TumorShape(ml, pieces, unsure=unsure, cavity_ml=cavity_ml)
    core = tumor & (classes[around] != EDEMA)
    core = core if core.any() else tumor
    inside, surface = brain[around], tumor & ~ndimage.binary_erosion(tumor)
    # The outermost voxels of the box are no tumour, or the image's edge.
    inner = ndimage.binary_erosion(inside)
    beyond, radius_mm = np.count_nonzero(tumor & ~inside) / voxels, np.cbrt(ml * 1000 * 0.75 / np.pi)
    middle = (np.array(ndimage.center_of_mass(core)) + [side.start for side in around]) * spacing_mm
    return TumorShape(
        ml,
        pieces,
        outside=max(0.0, float(beyond - 1.5 * BORDER_MM / radius_mm)),
        at_edge=float((surface & ~inner).sum() / surface.sum()),
        unsure=unsure,
        depth_mm=_depth_mm(core, around, brain, spacing_mm),
        sella_mm=float(np.linalg.norm(middle - atlas.sella_of(brain, spacing_mm))),
        cavity_ml=cavity_ml,
    )


def _depth_mm(core: Bool, around: Box, brain: Bool, spacing_mm: Spacing) -> float:
    """From the voxels of a tumour to the nearest one outside of the brain; 0 where it lies outside itself.

    The nearest two of both are neighbours, through a face, of a voxel of the other kind: far fewer than all.

    Args:
        core: The tumour within its box.
        around: The box, in the brain's voxels.
        brain: The brain mask.
        spacing_mm: Of both.
    """
    if (core & ~brain[around]).any():
        return 0.0
    first, near = np.array([side.start for side in around]), box_of(brain)
    core, brain = np.pad(core, 1), np.pad(brain[near], 1)
    tree = KDTree((np.argwhere(core & _beside(~core)) + first) * spacing_mm)
    beyond = (np.argwhere(~brain & _beside(brain)) + [side.start for side in near]) * spacing_mm
    bound = tree.query(beyond[::50])[0].min() * (1 + 1e-9)  # found fast, and spares most of the search
    return float(tree.query(beyond, distance_upper_bound=bound)[0].min())


def _beside(mask: Bool) -> Bool:
    """The voxels that share a face with one of the mask."""
    found = np.zeros_like(mask)
    for axis in range(mask.ndim):
        here, there = np.moveaxis(found, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] |= there[:-1]
        here[:-1] |= there[1:]
    return found
