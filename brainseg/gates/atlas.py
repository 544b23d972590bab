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
from brainseg.images.volume import Spacing

STEP_MM = 4
LEAST_LEFT = 0.2  # share of a tissue that must lie outside of the tumour
LIKE_A_BRAIN = 0.85  # Dice; masks of real heads have 0.84 to 0.92, and those that are right 0.88 or more
WHITE, GRAY, CSF = "white", "gray", "csf"

Bool = NDArray[np.bool_]
Turn = tuple[tuple[int, ...], tuple[int, ...]]  # which axis of the subject each of the atlas is, and its sign
UPRIGHT: Turn = ((0, 1, 2), (1, 1, 1))


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
    """Dice with the atlas in the header's orientation, less the best Dice in any other.

    Below 0 another orientation than the header's looks more like a brain. A mask that is like a brain in no
    orientation says nothing of the header, and its measure is not below 0. Left and right cannot be told
    apart, so only one of each orientation and its mirror image is tried.
    """
    shape, soft = shape_of(mask, spacing_mm), _smooth(mask.astype(np.float32), spacing_mm, STEP_MM / 2)
    size = np.cbrt(shape.mm3 / atlas().shape.mm3)
    scores: dict[bool, float] = {True: 0.0, False: 0.0}
    for axes, signs in product(permutations(range(3)), product((1,), (1, -1), (1, -1))):
        laid = _laid(soft, spacing_mm, shape, np.full(3, size), (axes, signs), every=2) > 0.5
        upright = (axes, signs) == UPRIGHT
        scores[upright] = max(scores[upright], _dice(laid, atlas().brain[::2, ::2, ::2]))
    apart = scores[True] - scores[False]
    return apart if max(scores.values()) >= LIKE_A_BRAIN else max(apart, 0.0)


def tissue_medians(
    image: NDArray[np.float32], mask: Bool, spacing_mm: Spacing, tumor: Bool | None = None
) -> dict[str, float]:
    """Medians of an image (X, Y, Z) in white and grey matter and CSF, in the brain's standard deviations.

    The tumour does not count, unless it leaves less than LEAST_LEFT of the voxels of a tissue.
    """
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
    image: NDArray[np.float32],
    spacing_mm: Spacing,
    shape: Shape,
    scale: NDArray[np.float64],
    turn: Turn = UPRIGHT,
    every: int = 1,
) -> NDArray[np.float32]:
    """An image on every so many voxels of the atlas: its middle on the atlas's middle, scaled and turned."""
    from_atlas = np.zeros((3, 3))
    for axis, (target, sign) in enumerate(zip(*turn, strict=True)):
        from_atlas[axis, target] = sign * scale[axis]
    offset = shape.middle - from_atlas @ atlas().shape.middle
    steps = np.array(spacing_mm)
    wanted = tuple(-(-n // every) for n in atlas().brain.shape)
    matrix = from_atlas * STEP_MM * every / steps[:, None]
    laid = ndimage.affine_transform(image, matrix, offset / steps, output_shape=wanted, order=1)
    return np.asarray(laid)


def _dice(one: Bool, other: Bool) -> float:
    return float(2 * (one & other).sum() / max(int(one.sum() + other.sum()), 1))
