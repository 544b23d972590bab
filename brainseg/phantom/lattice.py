"""Grids along R, A and S in millimetres, and the coarse lattice that smooth quantities are worked out on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg.phantom.fields import Float, upsample

# Smooth quantities are worked out on a lattice no finer than this, then interpolated.
LATTICE_MM = 2.0


@dataclass(frozen=True)
class Lattice:
    """An axis-aligned grid in R, A, S, with the coarse lattice that smooth quantities are worked out on.

    Attributes:
        shape: Voxels along R, A and S.
        spacing_mm: Their size.
        axes_mm: Voxel positions along each axis from the middle of the grid.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @property
    def axes_mm(self) -> list[NDArray[np.float64]]:
        sizes = zip(self.shape, self.spacing_mm, strict=True)
        return [np.asarray((np.arange(n) - (n - 1) / 2) * s, dtype=np.float64) for n, s in sizes]

    def coarse(self) -> "Lattice":
        """The lattice of at least LATTICE_MM that covers the same field of view."""
        shape, spacing = [], []
        for n, s in zip(self.shape, self.spacing_mm, strict=True):
            step = max(s, LATTICE_MM)
            shape.append(n if step == s else int(np.ceil((n - 1) * s / step)) + 1)
            spacing.append(step)
        return Lattice((shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]))

    def thin(self) -> tuple["Lattice", tuple[int, int, int]]:
        """A lattice with thick axes cut into slices about as thin as the finest, and into how many.

        The number is odd, at most 5, so that no vote among them ends in a tie.
        """
        finest = min(self.spacing_mm)
        x, y, z = (1 + 2 * min(round((s / finest - 1) / 2), 2) for s in self.spacing_mm)
        nx, ny, nz = self.shape
        sx, sy, sz = self.spacing_mm
        return Lattice((nx * x, ny * y, nz * z), (sx / x, sy / y, sz / z)), (x, y, z)

    def refine(self, values: Float) -> Float:
        """Values on `coarse()` brought onto this grid by linear interpolation."""
        coarse = self.coarse()
        positions = [
            fine / step + (n - 1) / 2
            for fine, step, n in zip(self.axes_mm, coarse.spacing_mm, coarse.shape, strict=True)
        ]
        return upsample(values, positions)
