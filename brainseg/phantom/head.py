"""A healthy head for each subject: the atlas, turned, stretched and bent, with its parts painted in.

A subject is described by where each of its voxels lies in MNI space (`Head.mni`), so the whole anatomy is
written once and deforms as one piece.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg.images import mni
from brainseg.phantom.atlas import HeadAtlas, head_atlas
from brainseg.phantom.fields import Bool, Float, random_stream, sample, smooth_field
from brainseg.phantom.lattice import LATTICE_MM, Lattice
from brainseg.phantom.parts import Painter, Tissue


@dataclass(frozen=True)
class Pose:
    """How a head lies in its grid: `offset_mm` moves the brain's middle from the grid's along R, A and S.

    `rim_mm` of CSF, on average, are added between brain and skull, as in older people.
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
    painter = Painter(random_stream(seed, 3), tissue, (mni[0], mni[1], mni[2]), surfaces, grain, lattice)
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
    for row, centre, shift in zip(inverse, mni.BRAIN_CENTRE, shifts, strict=True):
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


def _deface(tissue: NDArray[np.uint8], mni: tuple[Float, Float, Float], surfaces: dict[str, Float]) -> None:
    """Remove eyes, nose and mouth up to the brow, as published head scans do."""
    _, y, z = mni
    below_the_brow = y * np.float32(0.6) - z * np.float32(0.8) > 66
    before_the_neck = y * np.float32(0.9) - z * np.float32(0.4) > 62
    tissue[below_the_brow & before_the_neck & (surfaces["cavity"] > 2)] = Tissue.AIR


def brain_fractions(head: Head, seed: int, shift_mm: Float | None = None) -> tuple[Float, Float]:
    """Gray and white fractions at `head.voxels`; the rest to 1 is CSF.

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
