"""The named parts of a head, painted one over the other: airways, mouth, neck, eyes, sella, and the like.

Positions are MNI millimetres along R, A, S, so parts deform with the head that they are painted into.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from brainseg.images import mni
from brainseg.phantom.fields import Bool, Float
from brainseg.phantom.lattice import Lattice

Slices = tuple[slice, slice, slice]


class Tissue(IntEnum):
    """What fills a voxel. BRAIN is a mixture of grey matter, white matter and CSF, given by fractions."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    DURA = 6
    VESSEL = 7
    MUCOSA = 8
    EYE = 9
    LENS = 10
    GLAND = 11
    CSF = 12
    CORD = 13
    PITUITARY = 14
    BRAIN = 15


@dataclass(frozen=True)
class Painter:
    """Paints the named parts of one head.

    Attributes:
        rng: Draws sizes and places.
        tissue: (X, Y, Z) of Tissue, which is painted into.
        mni: Where each voxel lies in MNI space: three arrays (X, Y, Z), millimetres.
        surfaces: Distances to the surfaces of the head's layers by name, (X, Y, Z), negative inside.
        grain: (X, Y, Z), a random field of mean 0 and standard deviation 1, which divides cells.
        lattice: The grid.
    """

    rng: np.random.Generator
    tissue: NDArray[np.uint8]
    mni: tuple[Float, Float, Float]
    surfaces: dict[str, Float]
    grain: Float
    lattice: Lattice

    def paint(self) -> None:
        self._skull_base()
        self._airways()
        self._mouth()
        self._neck()
        for side in (-1, 1):
            self._orbit(side)
            self._temporal_bone(side)
        self._sella()
        self._sinuses_of_the_dura()

    def _box(self, low: Sequence[float], high: Sequence[float]) -> Slices:
        """The part of the grid that holds an MNI box, found on every sixth millimetre with a margin."""
        step = tuple(max(1, round(6.0 / s)) for s in self.lattice.spacing_mm)
        sparse = tuple(slice(None, None, k) for k in step)
        near = np.ones(self.mni[0][sparse].shape, dtype=bool)
        for values, a, b in zip(self.mni, low, high, strict=True):
            near &= (values[sparse] > a - 10) & (values[sparse] < b + 10)
        box = []
        for axis, k in enumerate(step):
            hit = np.flatnonzero(near.any(axis=tuple(a for a in range(3) if a != axis)))
            box.append(
                slice(0, 0) if hit.size == 0 else slice(max(int(hit[0] - 1) * k, 0), int(hit[-1] + 2) * k)
            )
        return box[0], box[1], box[2]

    def ellipsoid(self, centre: Sequence[float], radii: Sequence[float]) -> tuple[Slices, Float]:
        """Box and, in it, the squared radius: below 1 inside the ellipsoid."""
        box = self._box([c - r for c, r in zip(centre, radii, strict=True)],
                        [c + r for c, r in zip(centre, radii, strict=True)])  # fmt: skip
        q = np.zeros(self.tissue[box].shape, dtype=np.float32)
        for values, c, r in zip(self.mni, centre, radii, strict=True):
            u = (values[box] - np.float32(c)) * np.float32(1 / r)
            q += u * u
        return box, q

    def tube(self, start: Sequence[float], end: Sequence[float]) -> tuple[Slices, Float, Float]:
        """Box around a line widened by 14 mm; in it, distance from the line and place along it, 0 to 1."""
        low = [min(a, b) - 14 for a, b in zip(start, end, strict=True)]
        high = [max(a, b) + 14 for a, b in zip(start, end, strict=True)]
        box = self._box(low, high)
        direction = np.subtract(end, start, dtype=np.float64)
        length2 = float((direction**2).sum())
        along = np.zeros(self.tissue[box].shape, dtype=np.float32)
        for values, s, d in zip(self.mni, start, direction, strict=True):
            along += (values[box] - np.float32(s)) * np.float32(d / length2)
        np.clip(along, 0, 1, out=along)
        q = np.zeros_like(along)
        for values, s, d in zip(self.mni, start, direction, strict=True):
            u = values[box] - np.float32(s) - along * np.float32(d)
            q += u * u
        return box, np.sqrt(q), along

    def fill(self, box: Slices, where: Bool, tissue: Tissue, over: Sequence[Tissue] | None = None) -> None:
        """Put `tissue` where wanted, inside the head, and only over the given tissues."""
        part = self.tissue[box]
        where = where & (self.surfaces["fat"][box] < 0)
        if over is not None:
            where &= np.isin(part, np.array(over, dtype=np.uint8))
        part[where] = tissue

    def jitter(self, values: Sequence[float], sd: float) -> list[float]:
        return [v + float(d) for v, d in zip(values, self.rng.normal(0, sd, len(values)), strict=True)]

    def _skull_base(self) -> None:
        box, q = self.ellipsoid((0, 10, -48), (17, 25, 12))
        self.fill(box, q < 1, Tissue.BONE, (Tissue.MUSCLE, Tissue.FAT))
        self.fill(box, (q < 0.65) & (self.grain[box] > -0.8), Tissue.MARROW, (Tissue.BONE, Tissue.MUSCLE))
        box, r, _ = self.tube((0, -7, -40), (0, -20, -66))
        self.fill(box, r < 7, Tissue.BONE, (Tissue.MUSCLE, Tissue.FAT))
        self.fill(box, r < 4.5, Tissue.MARROW, (Tissue.BONE, Tissue.MUSCLE))

    def _airways(self) -> None:
        rng = self.rng
        box, q = self.ellipsoid((0, 55, -60), (17, 34, 24))
        self.fill(box, q < 1, Tissue.MUCOSA, (Tissue.MUSCLE, Tissue.FAT, Tissue.BONE, Tissue.MARROW))
        septum = np.abs(self.mni[0][box]) < 1.5
        self.fill(box, (q < 0.85) & (self.grain[box] > -0.35) & ~septum, Tissue.AIR)
        self._cave((0, 22, -42), (13, 11, 9), rng.uniform(0.7, 1.1))
        self._cave((9, 45, -40), (8, 18, 9), rng.uniform(0.8, 1.0), cells=True)
        self._cave((-9, 45, -40), (8, 18, 9), rng.uniform(0.8, 1.0), cells=True)
        for side in (-1, 1):
            self._cave((side * 30, 50, -70), (13, 16, 16), rng.uniform(0.7, 1.1))
            self._cave((side * 11, 76, -16), (12, 7, 14), rng.uniform(0.0, 1.1))
        box, r, _ = self.tube((0, 8, -72), (0, -6, -110))
        self.fill(box, r < 8, Tissue.AIR, (Tissue.MUSCLE, Tissue.FAT))
        box, r, _ = self.tube((0, -6, -110), (0, -12, -215))
        self.fill(box, r < 10, Tissue.MUCOSA, (Tissue.MUSCLE, Tissue.FAT))
        self.fill(box, r < 8, Tissue.AIR)

    def _cave(
        self, centre: Sequence[float], radii: Sequence[float], size: float, cells: bool = False
    ) -> None:
        """A sinus: wall of bone, mucosa, air; with `cells`, divided by thin walls. Never inside the skull."""
        if size < 0.3:
            return
        box, q = self.ellipsoid(self.jitter(centre, 1.5), [r * size for r in radii])
        outside = self.surfaces["dura"][box] > 1.5
        self.fill(box, (q < 1.35) & outside, Tissue.BONE, (Tissue.MUSCLE, Tissue.FAT, Tissue.MARROW))
        self.fill(box, (q < 1.0) & outside, Tissue.MUCOSA)
        hollow = (q < 0.82) & outside
        self.fill(box, hollow & (np.abs(self.grain[box]) > 0.25) if cells else hollow, Tissue.AIR)

    def _mouth(self) -> None:
        box, q = self.ellipsoid((0, 36, -98), (24, 34, 18))
        self.fill(box, q < 1, Tissue.MUSCLE)
        self.fill(box, (q < 0.8) & (self.grain[box] > 1.0), Tissue.FAT)
        box, q = self.ellipsoid((0, 48, -81), (26, 30, 3.5))
        self.fill(box, q < 1, Tissue.BONE)  # hard palate
        box = self._box((-46, 0, -135), (46, 90, -86))
        x, y, z = (m[box] for m in self.mni)
        arch = (x / 42) ** 2 + ((y - 22) / 56) ** 2
        front = y > 2
        teeth = (arch > 0.5) & (arch < 0.72) & front & (np.abs(z + 96) < 9) & (y > 25)
        self.fill(box, teeth, Tissue.BONE)
        jaw = (arch > 0.68) & (arch < 1.05) & front & (np.abs(z + 118) < 12)
        self.fill(box, jaw, Tissue.BONE, (Tissue.MUSCLE, Tissue.FAT))
        self.fill(
            box, (arch > 0.76) & (arch < 0.96) & front & (np.abs(z + 118) < 9), Tissue.MARROW, (Tissue.BONE,)
        )

    def _neck(self) -> None:
        over = (Tissue.MUSCLE, Tissue.FAT)
        box, r, along = self.tube((0, -24, -72), (0, -38, -215))
        disc = np.mod(along * 8.0, 1.0) < 0.25
        self.fill(box, r < 11, Tissue.BONE, over)
        self.fill(box, (r < 9.5) & ~disc, Tissue.MARROW)
        self.fill(box, (r < 9.5) & disc, Tissue.GLAND)
        box, r, _ = self.tube((0, -42, -66), (0, -56, -215))
        spine = (r < 13) & (np.mod(_vertebra(self.mni[2][box]), 1.0) < 0.6)
        self.fill(box, spine & (r > 9), Tissue.BONE, over)
        self.fill(box, r < 9, Tissue.CSF)
        self.fill(box, r < 5.5, Tissue.CORD)
        for side in (-1, 1):
            box, r, _ = self.tube((side * 24, -10, -70), (side * 30, -18, -215))
            self.fill(box, r < 3, Tissue.VESSEL, over)
            box, r, _ = self.tube((side * 32, -18, -66), (side * 38, -22, -215))
            self.fill(box, r < self.rng.uniform(3, 6), Tissue.VESSEL, over)
            box, q = self.ellipsoid((side * 60, -4, -76), (11, 17, 20))
            self.fill(box, q < 1, Tissue.GLAND, over)

    def _orbit(self, side: int) -> None:
        over = (Tissue.MUSCLE, Tissue.FAT, Tissue.BONE, Tissue.MARROW, Tissue.MUCOSA, Tissue.AIR)
        eye = self.jitter((side * 33, 57, -40), 1.0)
        radius = self.rng.uniform(12.0, 13.8)
        box, q = self.ellipsoid((side * 29, 42, -40), (17, 27, 16))
        outside = self.surfaces["dura"][box] > 1.0
        self.fill(box, (q < 1) & outside, Tissue.FAT, over)
        for dx, dz in ((0, 8), (0, -8), (8, 0), (-8, 0)):
            box, r, _ = self.tube((side * 18, 22, -37), (eye[0] + dx, eye[1] - 2, eye[2] + dz))
            self.fill(box, r < 2.2, Tissue.MUSCLE, (Tissue.FAT,))
        box, r, _ = self.tube((side * 8, 10, -25), (eye[0], eye[1] - 8, eye[2]))
        self.fill(box, r < 2.2, Tissue.CORD, (Tissue.FAT, Tissue.BONE, Tissue.CSF, Tissue.MARROW))
        box, q = self.ellipsoid(eye, (radius, radius, radius))
        self.fill(box, q < 1.2, Tissue.SKIN, (*over, Tissue.CORD))  # sclera
        self.fill(box, q < 1, Tissue.EYE)
        box, q = self.ellipsoid((eye[0], eye[1] + 0.72 * radius, eye[2]), (5.2, 2.6, 5.2))
        self.fill(box, q < 1, Tissue.LENS)

    def _temporal_bone(self, side: int) -> None:
        over = (Tissue.MUSCLE, Tissue.FAT, Tissue.MARROW, Tissue.BONE)
        box, q = self.ellipsoid((side * 40, -22, -46), (22, 8, 8))
        self.fill(box, q < 1, Tissue.BONE, over)
        self.fill(box, (q < 0.5) & (np.abs(self.mni[0][box]) < 36), Tissue.MARROW, (Tissue.BONE,))
        box, q = self.ellipsoid(self.jitter((side * 57, -34, -52), 2.0), (8, 10, 14))
        outside = self.surfaces["dura"][box] > 1.0
        self.fill(box, (q < 1) & outside, Tissue.BONE, over)
        self.fill(box, (q < 0.85) & outside & (np.abs(self.grain[box]) > 0.3), Tissue.AIR, (Tissue.BONE,))
        box, r, _ = self.tube((side * 55, -22, -46), (side * 88, -22, -46))
        self.fill(box, r < 3, Tissue.AIR)

    def _sella(self) -> None:
        over = (Tissue.BONE, Tissue.MARROW, Tissue.DURA, Tissue.MUSCLE, Tissue.FAT, Tissue.MUCOSA)
        box, r, _ = self.tube((0, -11, -36), (0, -27, -68))
        self.fill(box, r < 8, Tissue.CSF, over)  # before the pons
        box, q = self.ellipsoid((0, 0, -24), (15, 13, 8))
        self.fill(box, q < 1, Tissue.CSF, over)  # above the sella
        for side in (-1, 1):
            box, r, _ = self.tube((side * 12, -8, -33), (side * 12, 14, -32))
            self.fill(box, r < 4.5, Tissue.VESSEL, (*over, Tissue.AIR))  # cavernous sinus
        box, q = self.ellipsoid(mni.SELLA, (6.5, 5, 4 * self.rng.uniform(0.7, 1.2)))
        self.fill(box, q < 1, Tissue.PITUITARY)
        box, r, _ = self.tube((0, 2, -31), (0, 0, -18))
        self.fill(box, r < 1.3, Tissue.PITUITARY, (Tissue.CSF,))

    def add_sella(self, mask: Bool) -> None:
        """Add the gland, what lies around it, and the cistern between it and the brain."""
        box, q = self.ellipsoid(mni.SELLA, (10, 8, 7))
        mask[box] |= q < 1
        box, r, _ = self.tube(mni.SELLA, (0, 0, -14))
        mask[box] |= r < 7

    def _sinuses_of_the_dura(self) -> None:
        x, y, z = self.mni
        depth = self.surfaces["dura"]
        box = self._box((-8, -125, -40), (8, 80, 105))
        sagittal = (np.abs(x[box]) < 3.5) & (np.abs(depth[box] + 1) < 3 - 0.5 * np.abs(x[box]))
        crown = (z[box] > 20) | ((y[box] < -60) & (z[box] > -25))
        self.fill(box, sagittal & crown, Tissue.VESSEL)
        box = self._box((-70, -120, -36), (70, -40, -14))
        height = z[box] + 22 + 0.08 * np.abs(x[box])
        self.fill(box, (np.abs(depth[box]) < 2.5) & (np.abs(height) < 4) & (y[box] < -45), Tissue.VESSEL)


def _vertebra(z_mm: Float) -> Float:
    """The number of the vertebra at a height, counted downwards from the skull, 18 mm each."""
    return np.asarray((-66 - z_mm) / np.float32(18.0), dtype=np.float32)
