"""Heads as maps of tissue, without intensities: painted anew each time they are shown to a network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainseg.config import TUMOR_TYPES
from brainseg.images.volume import Grid
from brainseg.phantom.fields import Bool, random_stream
from brainseg.phantom.head import Pose, brain_fractions, build_head
from brainseg.phantom.lattice import Lattice
from brainseg.phantom.parts import Tissue
from brainseg.phantom.tumours import grow

VERSION = 5  # raise it when the same seed gives another template

# Right-left, front-back and up-down: with a long neck, which is cut off at random when it is painted.
FIELD_OF_VIEW_MM = (192.0, 224.0, 240.0)
# Names of what fills a voxel, in the order of its number in `Template.parts`.
PARTS = (*(tissue.name.lower() for tissue in Tissue), "necrosis", "edema", "enhancing")
BRAIN = int(Tissue.BRAIN)
TUMOR_SHARE = 0.4  # of the templates
FACELESS_SHARE = 0.3


@dataclass(frozen=True)
class Template:
    """A head on a grid in RAS, all arrays (X, Y, Z).

    Attributes:
        parts: uint8, numbers of `PARTS`.
        gray, white: uint8, shares of 255 where `parts` is brain; the rest there is CSF.
        brain: The mask that a stripper should find, as in `PhantomSubject`.
        spacing_mm: Side of the voxels, which are cubes.
        tumor_type: One of TUMOR_TYPES where it was asked for.
    """

    parts: NDArray[np.uint8]
    gray: NDArray[np.uint8]
    white: NDArray[np.uint8]
    brain: Bool
    spacing_mm: float
    tumor_type: str | None = None

    @property
    def grid(self) -> Grid:
        return grid_of(self.parts.shape, self.spacing_mm)


def grid_of(shape: tuple[int, ...], spacing_mm: float) -> Grid:
    """Cubes in RAS from the world's origin."""
    x, y, z = shape
    return Grid((x, y, z), np.diag([spacing_mm] * 3 + [1.0]))


def make_template(
    seed: int, spacing_mm: float, tumor_share: float = TUMOR_SHARE, tumor_type: str | None = None
) -> Template:
    """A head of any size and position, with or without face and tumour; more varied than `make_subject`'s.

    Args:
        seed: Decides everything that is drawn.
        spacing_mm: Side of the voxels.
        tumor_share: How probable a tumour is.
        tumor_type: What it is, or notumor; None draws that. Fluid fills the cleft around a tumour of a given
            type, without which it is seen in few contrasts.
    """
    rng = random_stream(seed, 60)
    rim_mm = float(np.clip(rng.normal(2.2, 2.0), 0, 6))
    pose = Pose(
        offset_mm=(float(rng.normal(0, 3)), float(rng.normal(-12, 4)), float(rng.normal(36, 4))),
        rotation_sd_deg=12.0,
        size=0.885 * (1 - rim_mm / 80),  # it is the brain that shrinks, within a skull of 80 mm to its wall
        size_sd=0.04,
        elastic=float(rng.uniform(0.8, 1.6)),
        face=bool(rng.random() > FACELESS_SHARE),
        rim_mm=rim_mm,
    )
    x, y, z = (int(np.ceil(side / spacing_mm)) for side in FIELD_OF_VIEW_MM)
    head = build_head(seed, Lattice((x, y, z), (spacing_mm,) * 3), pose)
    parts, brain = head.tissue.copy(), head.brain.copy()
    gray, white = brain_fractions(head, seed)
    kind = tumor_type
    if kind is None and rng.random() < tumor_share:
        kinds = [one for one in TUMOR_TYPES if one != "notumor"]
        kind = kinds[int(rng.integers(len(kinds)))]
    tumor = None if kind is None else grow(seed, head, kind, gray, white)
    if tumor is not None:
        inside = tumor.labels > 0
        parts[tumor.box][inside] = tumor.labels[inside] + len(Tissue) - 1
        brain[tumor.box] |= inside
        gray, white = brain_fractions(head, seed, tumor.shift_mm)
        if tumor_type is not None:
            open_ = np.ones(parts.shape, dtype=np.float32)
            open_[tumor.box] -= tumor.shares[3]
            gray, white = gray * open_.ravel()[head.voxels], white * open_.ravel()[head.voxels]
    return Template(
        parts,
        _shares(gray, head.voxels, parts.shape),
        _shares(white, head.voxels, parts.shape),
        brain,
        spacing_mm,
        tumor_type,
    )


def _shares(
    values: NDArray[np.float32], voxels: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    full = np.zeros(int(np.prod(shape)), dtype=np.uint8)
    full[voxels] = np.rint(255 * values)
    return full.reshape(shape)
