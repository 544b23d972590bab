"""A healthy head for each subject: the MNI152 brain, deformed, with a head built around it.

The brain comes from the grey and white matter maps that nilearn carries; all else is geometry. Positions are
MNI millimetres along R, A, S. A subject is described by where each of its voxels lies in MNI space
(`Head.mni`), so the whole anatomy is written once and deforms as one piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.phantom.fields import Float, random_stream, sample, smooth_field, upsample

Bool = NDArray[np.bool_]
Slices = tuple[slice, slice, slice]

# The middle of the MNI152 brain, which a subject's grid is placed by.
BRAIN_CENTRE_MNI = (0.0, -17.0, 6.0)
PITUITARY_MNI = (0.0, 3.0, -33.0)
# Smooth quantities are worked out on a lattice no finer than this, then interpolated.
LATTICE_MM = 2.0


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
class HeadAtlas:
    """The template before any deformation.

    Attributes:
        gray, white: Fractions on the template's 1 mm grid.
        brain_origin: MNI position of the first voxel of those grids.
        lattice_origin: MNI position of the first node of the maps below, whose step is LATTICE_MM.
        brain_mm: Distance to the brain's outer surface, negative inside, millimetres.
        cavity_mm: The same for the cavity of the skull.
        face_mm: The same for the skin of face, neck and ears.
    """

    gray: Float
    white: Float
    brain_origin: NDArray[np.float64]
    lattice_origin: NDArray[np.float64]
    brain_mm: Float
    cavity_mm: Float
    face_mm: Float


@lru_cache(maxsize=1)
def head_atlas() -> HeadAtlas:
    """The atlas, built on the first call of a process (about 3 s) and kept."""
    import nilearn.datasets  # seconds to import, and only needed here

    gray_image = nilearn.datasets.load_mni152_gm_template(resolution=1)
    white_image = nilearn.datasets.load_mni152_wm_template(resolution=1)
    gray, white = (
        np.ascontiguousarray(image.dataobj, dtype=np.float32) for image in (gray_image, white_image)
    )
    mask = np.asarray(nilearn.datasets.load_mni152_brain_mask(resolution=1).dataobj) > 0
    origin = np.asarray(gray_image.affine, dtype=np.float64)[:3, 3]
    first, last = np.array([-112.0, -142.0, -220.0]), np.array([112.0, 130.0, 116.0])
    shape = tuple(((last - first) / LATTICE_MM).astype(int) + 1)
    brain = _on_lattice(mask, origin, first, shape)
    brain_mm = signed_distance(brain)
    swollen = signed_distance(
        brain_mm < 9.0
    )  # closing by 9 mm bridges the fissures, the cisterns and the brainstem
    cavity_mm = signed_distance(swollen < -9.0)
    axes = [first[a] + LATTICE_MM * np.arange(shape[a]) for a in range(3)]
    face_mm = ndimage.gaussian_filter(signed_distance(_face(axes)), 1.0)
    return HeadAtlas(gray, white, origin, first, brain_mm, np.minimum(cavity_mm, brain_mm), face_mm)


def _on_lattice(
    mask: Bool, origin: NDArray[np.float64], first: NDArray[np.float64], shape: tuple[int, ...]
) -> Bool:
    # Nodes fall on every second voxel of the template, as both origins are even numbers of millimetres apart.
    coarse = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)[::2, ::2, ::2] > 0.5
    coarse = ndimage.binary_fill_holes(coarse)
    start = ((origin - first) / LATTICE_MM).astype(int)
    lattice = np.zeros(shape, dtype=bool)
    stop = np.minimum(start + coarse.shape, shape)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    lattice[box] = coarse[tuple(slice(0, b - a) for a, b in zip(start, stop, strict=True))]
    return lattice


def signed_distance(mask: Bool, step_mm: float = LATTICE_MM) -> Float:
    """Distance to the surface of `mask` on a lattice, negative inside, millimetres; smooth below one step."""
    outside = ndimage.distance_transform_edt(~mask) - 0.5
    inside = ndimage.distance_transform_edt(mask) - 0.5
    distance = (np.where(mask, -inside, outside) * step_mm).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(distance, 0.6), dtype=np.float32)


def _face(axes_mm: Sequence[NDArray[np.float64]]) -> Bool:
    """Face, jaw, nose, ears, nape and neck as one solid."""
    solid = np.zeros(tuple(len(a) for a in axes_mm), dtype=bool)
    for centre, radii in (
        ((0, -15, -55), (73, 88, 62)),  # from the temples to the nape
        ((0, 38, -62), (60, 57, 58)),  # cheeks
        ((0, 35, -108), (46, 52, 36)),  # jaw
        ((0, 78, -128), (16, 12, 13)),  # chin
        ((0, 94, -58), (10, 14, 20)),  # nose
        ((0, 104, -66), (9, 10, 8)),
        ((80, -28, -44), (6, 13, 26)),  # ears
        ((-80, -28, -44), (6, 13, 26)),
    ):
        q = [((axes_mm[a] - centre[a]) / radii[a]) ** 2 for a in range(3)]
        solid |= q[0][:, None, None] + q[1][None, :, None] + q[2][None, None, :] < 1
    x, y, z = axes_mm
    middle = -42 + 0.12 * (z + 60)  # the neck leans forward on its way up
    neck = (x[:, None, None] / 58) ** 2 + ((y[None, :, None] - middle) / 62) ** 2 < 1
    shoulders = (x[:, None, None] / (58 + 1.5 * np.maximum(-165 - z, 0))) ** 2 + (
        (y[None, :, None] - middle) / 64
    ) ** 2 < 1
    return np.asarray(solid | ((neck | shoulders) & (z < -55)))


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


@dataclass(frozen=True)
class Pose:
    """How a head lies in its grid: `offset_mm` moves the brain's middle from the grid's along R, A and S.

    On average `rim_mm` of CSF come between brain and skull beside what is there, as age brings them.
    """

    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_sd_deg: float = 6.0
    size: float = 0.885  # of the MNI152 brain, which is larger than most
    size_sd: float = 0.02
    elastic: float = 1.0
    face: bool = True
    rim_mm: float = 0.0


@dataclass(frozen=True)
class Head:
    """A healthy subject.

    Attributes:
        lattice: The grid.
        mni: Where each voxel lies in MNI space: three arrays (X, Y, Z), millimetres.
        tissue: (X, Y, Z) of Tissue.
        brain_mm: Distance to the surface of the brain mask, negative inside, millimetres.
        voxels: Flat indices of the BRAIN voxels, in order; the fractions below belong to them.
        brain: The brain mask: those voxels, and the sella with the way down to it. A mask without the sella
            hides a pituitary tumour from all that looks at the brain alone.
    """

    lattice: Lattice
    mni: tuple[Float, Float, Float]
    tissue: NDArray[np.uint8]
    brain_mm: Float
    voxels: NDArray[np.intp]
    brain: Bool


def build_head(seed: int, lattice: Lattice, pose: Pose) -> Head:
    """The head of one subject on a grid."""
    atlas, coarse = head_atlas(), lattice.coarse()
    position = _positions(random_stream(seed, 0), coarse, pose)
    node = [(p - o) / LATTICE_MM for p, o in zip(position, atlas.lattice_origin, strict=True)]
    surfaces = _surfaces(random_stream(seed, 1), atlas, coarse, position, node, pose.rim_mm)
    mni = tuple(lattice.refine(p) for p in position)
    surfaces = {name: lattice.refine(values) for name, values in surfaces.items()}
    grain = smooth_field(random_stream(seed, 2), 7.0, lattice.axes_mm)
    # Muscles and the planes between them run up and down.
    x_mm, y_mm, z_mm = lattice.axes_mm
    strands = smooth_field(random_stream(seed, 5), 8.0, (x_mm, y_mm, z_mm * 0.3))
    tissue = _shells(surfaces, strands)
    painter = _Painter(random_stream(seed, 3), tissue, (mni[0], mni[1], mni[2]), surfaces, grain, lattice)
    painter.paint()
    tissue[surfaces["brain"] < 0] = Tissue.BRAIN
    if not pose.face:
        _deface(tissue, (mni[0], mni[1], mni[2]), surfaces)
    brain = tissue == Tissue.BRAIN
    voxels = np.flatnonzero(brain)
    painter.add_sella(brain)
    return Head(lattice, (mni[0], mni[1], mni[2]), tissue, surfaces["brain"], voxels, brain)


def _positions(rng: np.random.Generator, lattice: Lattice, pose: Pose) -> list[Float]:
    """Where each voxel of the lattice lies in MNI space: affine, then elastic."""
    inverse = np.linalg.inv(_affine(rng, pose))
    axes = [a - o for a, o in zip(lattice.axes_mm, pose.offset_mm, strict=True)]
    shifts = [np.zeros(lattice.shape, dtype=np.float32) for _ in range(3)]
    for node_mm, sd_mm in ((80.0, 4.0), (40.0, 1.8), (20.0, 0.7)):
        for shift in shifts:
            shift += smooth_field(rng, node_mm, lattice.axes_mm) * np.float32(sd_mm * pose.elastic)
    position = []
    for row, centre, shift in zip(inverse, BRAIN_CENTRE_MNI, shifts, strict=True):
        x, y, z = (np.asarray(row[a] * axes[a], dtype=np.float32) for a in range(3))
        shift += x[:, None, None] + y[None, :, None] + (z + np.float32(centre))[None, None, :]
        position.append(shift)
    return position


def _affine(rng: np.random.Generator, pose: Pose) -> NDArray[np.float64]:
    """(3, 3): MNI to subject."""
    angles = np.deg2rad(rng.normal(0, 1, 3) * pose.rotation_sd_deg * np.array([1.0, 0.6, 0.6]))
    scale = pose.size + rng.normal(0, 1) * pose.size_sd + rng.normal(0, 0.02, 3)
    matrix = np.diag(scale)
    matrix[np.triu_indices(3, 1)] = rng.normal(0, 0.015, 3)
    for axis, angle in enumerate(angles):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _surfaces(
    rng: np.random.Generator,
    atlas: HeadAtlas,
    lattice: Lattice,
    position: list[Float],
    node: list[Float],
    rim_mm: float,
) -> dict[str, Float]:
    """Signed distances to the surfaces between the layers of the head, by name, from the brain outwards."""

    def wobbling(mean: float, sd: float, least: float, node_mm: float = 45.0) -> Float:
        field = smooth_field(rng, node_mm, lattice.axes_mm) * np.float32(sd) + np.float32(mean)
        return np.asarray(np.maximum(field, np.float32(least)))

    brain, cavity, face = sample((atlas.brain_mm, atlas.cavity_mm, atlas.face_mm), node)
    top = np.clip((position[2] - 20) / 60, 0, 1)
    brain -= wobbling(rng.uniform(0.3, 1.6), 0.5, 0.0) + top * np.float32(rng.uniform(0, 2.0))
    if rim_mm:
        brain -= wobbling(rim_mm, 0.35 * rim_mm, 0.0)
    cavity = np.minimum(cavity - np.float32(0.3), brain)
    dura = cavity - np.float32(0.9)
    inner = dura - wobbling(rng.uniform(1.4, 2.2), 0.3, 0.8)
    diploe = inner - wobbling(rng.uniform(1.2, 5.5), 1.1, 0.2)
    outer = diploe - wobbling(rng.uniform(1.5, 2.4), 0.3, 0.9)
    x, y, z = position
    temple = 1 - ((np.abs(x) - 68) / 16) ** 2 - ((y - 12) / 38) ** 2 - ((z + 12) / 38) ** 2
    muscle = np.clip(temple, 0, 1) * np.float32(rng.uniform(6, 10)) + wobbling(0.8, 0.5, 0.0)
    galea = outer - muscle
    fat = galea - wobbling(rng.uniform(2.0, 7.0), 1.2, 0.8, 60.0)
    skin = fat - wobbling(rng.uniform(1.6, 2.4), 0.2, 1.2)
    face = face - wobbling(0.0, 1.5, -9.0, 60.0)
    skin = np.minimum(skin, face)
    subcutis = wobbling(rng.uniform(1.6, 2.4), 0.2, 1.2)
    deep = np.minimum(galea, face + subcutis + wobbling(rng.uniform(3.0, 7.0), 1.5, 1.0, 60.0))
    fat = np.minimum(fat, face + subcutis)
    return {
        "brain": brain, "cavity": cavity, "dura": dura, "inner": inner, "diploe": diploe, "outer": outer,
        "deep": deep, "fat": fat, "skin": skin,
    }  # fmt: skip


def _shells(surfaces: dict[str, Float], strands: Float) -> NDArray[np.uint8]:
    tissue = np.zeros(strands.shape, dtype=np.uint8)
    for name, filling in (
        ("skin", Tissue.SKIN), ("fat", Tissue.FAT), ("deep", Tissue.MUSCLE), ("outer", Tissue.BONE),
        ("diploe", Tissue.MARROW), ("inner", Tissue.BONE), ("dura", Tissue.DURA), ("cavity", Tissue.CSF),
    ):  # fmt: skip
        tissue[surfaces[name] < 0] = filling
    muscle = tissue == Tissue.MUSCLE
    tissue[muscle & ((np.abs(strands) < 0.09) | (strands > 1.3))] = Tissue.FAT
    tissue[muscle & (strands < -2.1)] = Tissue.VESSEL
    return tissue


@dataclass(frozen=True)
class _Painter:
    """Paints the named parts of the head into `tissue`."""

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
        spine = (r < 13) & (np.mod(along_z(self.mni[2][box]), 1.0) < 0.6)
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
        box, q = self.ellipsoid(PITUITARY_MNI, (6.5, 5, 4 * self.rng.uniform(0.7, 1.2)))
        self.fill(box, q < 1, Tissue.PITUITARY)
        box, r, _ = self.tube((0, 2, -31), (0, 0, -18))
        self.fill(box, r < 1.3, Tissue.PITUITARY, (Tissue.CSF,))

    def add_sella(self, mask: Bool) -> None:
        """Add the gland, what lies around it, and the cistern between it and the brain."""
        box, q = self.ellipsoid(PITUITARY_MNI, (10, 8, 7))
        mask[box] |= q < 1
        box, r, _ = self.tube(PITUITARY_MNI, (0, 0, -14))
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


def along_z(z_mm: Float) -> Float:
    """Vertebrae counted downwards from the skull, 18 mm each."""
    return np.asarray((-66 - z_mm) / np.float32(18.0), dtype=np.float32)


def _deface(tissue: NDArray[np.uint8], mni: tuple[Float, Float, Float], surfaces: dict[str, Float]) -> None:
    """Remove eyes, nose and mouth up to the brow, as published head scans do."""
    _, y, z = mni
    below_the_brow = y * np.float32(0.6) - z * np.float32(0.8) > 66
    before_the_neck = y * np.float32(0.9) - z * np.float32(0.4) > 62
    tissue[below_the_brow & before_the_neck & (surfaces["cavity"] > 2)] = Tissue.AIR


def brain_fractions(head: Head, seed: int, shift_mm: Float | None = None) -> tuple[Float, Float]:
    """Gray and white fractions at `head.voxels`; what is left of 1 is CSF.

    Args:
        head: The head.
        seed: The subject's.
        shift_mm: (3, voxels) added to the MNI positions: a mass that pushes the brain aside.
    """
    atlas = head_atlas()
    place = np.stack([m.ravel()[head.voxels] for m in head.mni])
    if shift_mm is not None:
        place += shift_mm
    place -= atlas.brain_origin.astype(np.float32)[:, None]
    gray, white = sample((atlas.gray, atlas.white), list(place))
    folds = smooth_field(random_stream(seed, 4), 7.0, head.lattice.axes_mm).ravel()[head.voxels]
    return _sharpen(gray, white, folds)


def _sharpen(gray: Float, white: Float, folds: Float) -> tuple[Float, Float]:
    """One brain instead of the mean of 152: fractions pushed apart, sulci opened and shut at random."""
    fluid = np.clip(1 - gray - white, 0, 1)
    open_ = fluid * (1 - fluid) * folds
    fluid = np.clip(fluid + open_, 0, 1)
    gray = np.clip(gray - np.float32(0.5) * open_, 0, 1)
    g, w, c = gray * gray, white * white, fluid * fluid
    total = g + w + c + np.float32(1e-6)
    return np.asarray(g / total), np.asarray(w / total)
