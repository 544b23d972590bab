"""Measures of a brain mask (X, Y, Z) in RAS."""

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.gates.atlas import about
from brainseg.images.masks import box_of
from brainseg.images.volume import Spacing
from brainseg.inference import fill_holes, largest_component

Bool = NDArray[np.bool_]
SIZES = ("brain_ml", "brain_right_mm", "brain_front_mm", "brain_up_mm")  # gates that need the voxel size
SYMMETRY_MM = 5.0  # voxels of the mask whose halves are laid over each other
SURFACE_MM = 75.0  # radius of curvature of an adult's brain below the crown
ADULT_ML = 1400.0  # the brain of that radius
TILTS = (-12.0, -6.0, 0.0, 6.0, 12.0)  # degrees about A and about S, as heads lie


def pieces_and_holes(raw: Bool) -> tuple[float, float]:
    """Share of a mask, before it was cleaned, that lies apart from its largest piece, and its share of holes.

    The holes are a share of the largest piece with its holes filled.
    """
    if not raw.any():
        return 1.0, 0.0
    piece = largest_component(raw)
    piece = piece[box_of(piece)]
    inside = np.count_nonzero(piece)
    return 1 - inside / np.count_nonzero(raw), 1 - inside / np.count_nonzero(fill_holes(piece))


def sides_mm(mask: Bool, spacing_mm: Spacing) -> tuple[float, float, float]:
    """Sides of the box around a mask, along R, A and S."""
    x, y, z = ((side.stop - side.start) * step for side, step in zip(box_of(mask), spacing_mm, strict=True))
    return x, y, z


def outside_share(mask: Bool, spacing_mm: Spacing) -> float:
    """About which share of a brain lies beyond the field of view, at all sides together.

    Where the image cuts a brain off, the part beyond is taken for the cap of a ball that has this
    cross-section, less the half of the outermost voxels that lies beyond their middle. The ball is as large
    as the brain, so that a voxel size that is wrong for all axes changes nothing.
    """
    mm3 = float(mask.sum() * np.prod(spacing_mm))
    radius = SURFACE_MM * np.cbrt(mm3 / 1000 / ADULT_ML)
    beyond = 0.0
    for axis, end in product(range(3), (0, -1)):
        one, other = (spacing_mm[a] for a in range(3) if a != axis)
        area = float(np.take(mask, end, axis=axis).sum() * one * other)
        high = radius - np.sqrt(max(0.0, radius**2 - area / np.pi))
        high = max(0.0, high - spacing_mm[axis] / 2)
        beyond += np.pi * high**2 * (radius - high / 3)
    return beyond / (mm3 + beyond) if mm3 else 0.0


def asymmetry(mask: Bool, spacing_mm: Spacing) -> float:
    """One minus the Dice of the mask with its mirror image, left for right, at the tilt that fits best."""
    mask = np.pad(mask[box_of(mask)], 2)
    zoom = np.array(spacing_mm) / SYMMETRY_MM
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 0.4 / zoom)
    side = int(np.ceil((zoom * mask.shape).max() * 1.1))
    middle = np.array(ndimage.center_of_mass(mask))

    def uneven(yaw: float, roll: float) -> float:
        matrix = about(2, yaw) @ about(1, roll) / zoom[:, None]
        offset = middle - matrix @ np.full(3, (side - 1) / 2)
        laid = ndimage.affine_transform(soft, matrix, offset, output_shape=(side,) * 3, order=1) > 0.5
        return float(1 - (laid & laid[::-1]).sum() / max(laid.sum(), 1))

    yaw, _ = _least(lambda tilt: uneven(tilt, 0.0))
    return _least(lambda tilt: uneven(yaw, tilt))[1]


def _least(uneven: Callable[[float], float]) -> tuple[float, float]:
    """The tilt at which something is least, and its value; twice the outermost tilt is tried beyond it."""
    value, tilt = min((uneven(tilt), tilt) for tilt in TILTS)
    if abs(tilt) == max(TILTS):
        value, tilt = min((value, tilt), (uneven(2 * tilt), 2 * tilt))
    return tilt, value
