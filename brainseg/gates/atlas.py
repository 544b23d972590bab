"""The MNI152 brain laid over a subject's brain mask: its orientation, and where its parts should be.

A mask has no landmarks, but it has a middle and a spread along each axis. Laid over each other by these, the
two agree to some millimetres. That is enough to find a brain that is upside down, to compare the means of
white and grey matter, and to find the sella.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.images import mni
from brainseg.images.masks import box_of
from brainseg.images.volume import Spacing

STEP_MM = 4
MARGIN = (6, 6, 6)  # voxels of 2 mm around a brain, farther than what is smoothed reaches
LEAST_LEFT = 0.2  # share of a tissue that must lie outside of the tumour
LIKE_A_BRAIN = 0.85  # of the atlas within the mask; 0.81 to 0.97 in 109 masks of real heads
WHITE, GRAY, CSF = "white", "gray", "csf"

Bool = NDArray[np.bool_]
UPRIGHT = ((0, 1, 2), (1, 1, 1))  # the axis of the atlas along each of the subject, and its sign
TILTS = ((-30.0, -15.0, 15.0, 30.0), (-24.0, 24.0), (-24.0, 24.0))  # degrees about R, A and S, as heads lie


@dataclass(frozen=True)
class Shape:
    """Middle and standard deviation of a mask along R, A, S in mm from its first voxel, and its volume."""

    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    mm3: float


@dataclass(frozen=True)
class Atlas:
    """The template: its brain, parts deep enough within each tissue to bear some mm of error, its shape."""

    brain: Bool
    tissues: dict[str, Bool]
    shape: Shape
    sella: NDArray[np.float64]  # mm from the first voxel


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The MNI152 template in RAS at STEP_MM, read once in a process."""
    maps = mni.load(STEP_MM)
    inner = ndimage.binary_erosion(maps.brain, iterations=2)
    tissues = {
        WHITE: ndimage.binary_erosion(maps.white > 0.7),
        GRAY: maps.gray > 0.65,
        CSF: inner & (maps.gray + maps.white < 0.35),
    }
    sella = np.asarray(mni.SELLA) - maps.origin
    return Atlas(maps.brain, tissues, shape_of(maps.brain, (STEP_MM,) * 3), sella)


def shape_of(mask: Bool, spacing_mm: Spacing) -> Shape:
    """Middle, spread and volume of a mask (X, Y, Z) in RAS that is not empty.

    The volume is that of voxels with right angles, the space in which masks are laid over each other.
    """
    middle, spread = [], []
    for axis, step in enumerate(spacing_mm):
        share = mask.sum(axis=tuple(a for a in range(3) if a != axis)).astype(np.float64)
        share /= share.sum()
        place = np.arange(len(share)) * step
        middle.append(float(share @ place))
        spread.append(float(np.sqrt(share @ (place - middle[-1]) ** 2)))
    return Shape(np.array(middle), np.array(spread), float(mask.sum() * np.prod(spacing_mm)))


def uprightness(mask: Bool, spacing_mm: Spacing) -> float:
    """Overlap with the atlas in the header's orientation, less the best overlap in any other.

    In each orientation the atlas is nodded, rolled and turned to where it fits best, as heads lie. Below 0
    another orientation than the header's looks more like a brain. A mask that is like a brain in no
    orientation says nothing of the header, and its measure is not below 0. Left and right cannot be told
    apart, so only one of each orientation and its mirror image is tried.
    """
    shape, points = shape_of(mask, spacing_mm), _brain_points()
    size = np.cbrt(shape.mm3 / atlas().shape.mm3)
    soft = np.pad(_smooth(mask.astype(np.float32), spacing_mm, STEP_MM / 2) > 0.5, 1)
    last = np.array(soft.shape) - 1

    def overlap(turn: NDArray[np.float64]) -> float:
        at = np.rint((points @ turn.T * size + shape.middle) / spacing_mm).astype(np.intp) + 1
        x, y, z = np.clip(at, 0, last).T
        return float(soft[x, y, z].mean())

    upright, other = 0.0, 0.0
    for axes, signs in product(permutations(range(3)), product((1,), (1, -1), (1, -1))):
        turn = np.zeros((3, 3))
        turn[range(3), axes] = signs
        best = overlap(turn)
        for axis, tilts in enumerate(TILTS):
            fits = [(overlap(tried), tried) for tried in (turn @ about(axis, tilt) for tilt in tilts)]
            fit, tilted = max(fits, key=lambda one: one[0])
            best, turn = (fit, tilted) if fit > best else (best, turn)
        if (axes, signs) == UPRIGHT:
            upright = best
        else:
            other = max(other, best)
    apart = upright - other
    return apart if max(upright, other) >= LIKE_A_BRAIN else max(apart, 0.0)


def _brain_points() -> NDArray[np.float64]:
    """The middles of every second voxel of the atlas's brain along each axis, (n, 3), mm from its middle."""
    known = atlas()
    return np.argwhere(known.brain[::2, ::2, ::2]) * (2.0 * STEP_MM) - known.shape.middle


def about(axis: int, degrees: float) -> NDArray[np.float64]:
    """A turn about an axis."""
    angle, (a, b) = np.deg2rad(degrees), [other for other in range(3) if other != axis]
    turn = np.eye(3)
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    return turn


def tissue_medians(
    image: NDArray[np.float32], mask: Bool, spacing_mm: Spacing, tumor: Bool | None = None
) -> dict[str, float]:
    """Medians of an image (X, Y, Z) in white and grey matter and CSF, in the brain's standard deviations.

    The tumour does not count, unless it leaves less than LEAST_LEFT of the voxels of a tissue.
    """
    near = box_of(mask, MARGIN)  # what lies beyond is not looked at
    image, mask, tumor = image[near], mask[near], None if tumor is None else tumor[near]
    shape = shape_of(mask, spacing_mm)
    scale = shape.spread / atlas().shape.spread
    values = _laid(_smooth(image, spacing_mm, 1.5), spacing_mm, shape, scale)
    brain = (_laid(mask.astype(np.float32), spacing_mm, shape, scale) > 0.5) & atlas().brain
    parts = {name: where & brain for name, where in atlas().tissues.items()}
    if tumor is not None:
        healthy = _laid(tumor.astype(np.float32), spacing_mm, shape, scale) < 0.1
        left = {name: where & healthy for name, where in parts.items()}
        if all(left[name].sum() >= LEAST_LEFT * where.sum() for name, where in parts.items()):
            brain, parts = brain & healthy, left
    deviation = float(values[brain].std()) or 1.0
    return {name: float(np.median(values[where])) / deviation for name, where in parts.items()}


def sella_of(mask: Bool, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Where the sella should be, mm from the first voxel along R, A, S."""
    shape, known = shape_of(mask, spacing_mm), atlas()
    return np.asarray(shape.middle + (known.sella - known.shape.middle) * shape.spread / known.shape.spread)


def _smooth(image: NDArray[np.float32], spacing_mm: Spacing, deviation_mm: float) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(image, [deviation_mm / step for step in spacing_mm]))


def _laid(
    image: NDArray[np.float32], spacing_mm: Spacing, shape: Shape, scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """An image on the voxels of the atlas: its middle on the atlas's middle, and scaled."""
    offset = shape.middle - scale * atlas().shape.middle
    steps = np.array(spacing_mm)
    laid = ndimage.affine_transform(
        image, scale * STEP_MM / steps, offset / steps, output_shape=atlas().brain.shape, order=1
    )
    return np.asarray(laid)
