"""Cleaning a predicted tumour by a rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg.images.labels import (
    BACKGROUND,
    EDEMA,
    ENHANCING_TUMOR,
    NECROTIC_CORE,
    RESECTION_CAVITY,
    TUMOR_REGIONS,
    is_tumor,
)
from brainseg.images.masks import box_of
from brainseg.inference.components import fill_holes, remove_small

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Cleaning:
    """What is done to predicted classes, in this order. The default does nothing.

    Args:
        least_part_ml: A part of the whole tumour, or of the resection cavity, that is smaller becomes
            background.
        fill: Holes in the tumour core become necrotic core, those in the whole tumour edema. A resection
            cavity is no hole.
        least_enhancing_ml: Less enhancing tumour than this, in all, becomes necrotic core: where the truth
            has none, a few voxels of it make the difference between a Dice of 1 and of 0.
    """

    least_part_ml: float = 0.0
    fill: bool = False
    least_enhancing_ml: float = 0.0

    def __call__(self, classes: Classes, voxel_ml: float) -> Classes:
        """Cleaned class indices (X, Y, Z), of voxels of that volume."""
        box = box_of(classes != BACKGROUND)
        cleaned = classes.copy()
        cleaned[box] = self._within(classes[box], voxel_ml)
        return cleaned

    def _within(self, classes: Classes, voxel_ml: float) -> Classes:
        if self.least_part_ml:
            voxels = int(np.ceil(self.least_part_ml / voxel_ml))
            kept = remove_small(is_tumor(classes), voxels)
            cavity = classes == RESECTION_CAVITY
            if cavity.any():
                kept |= remove_small(cavity, voxels)
            classes = np.where(kept, classes, np.uint8(BACKGROUND))
        if self.fill:
            classes = _filled(classes)
        enhancing = classes == ENHANCING_TUMOR
        if np.count_nonzero(enhancing) * voxel_ml < self.least_enhancing_ml:
            classes = np.where(enhancing, np.uint8(NECROTIC_CORE), classes)
        return classes


def _filled(classes: Classes) -> Classes:
    core, cavity = np.isin(classes, TUMOR_REGIONS["tumor_core"]), classes == RESECTION_CAVITY
    classes = np.where(fill_holes(core) & ~core & ~cavity, np.uint8(NECROTIC_CORE), classes)
    tumor = is_tumor(classes)
    return np.where(fill_holes(tumor) & ~tumor & ~cavity, np.uint8(EDEMA), classes)
