"""The air around a head (X, Y, Z) in RAS, in voxels of about 2 mm: what there is in it but noise.

Many scans show no air: those of a brain without skull, and those whose background a scanner, a converter or
a program that removes faces has set to one value. Where too little is left, nothing is said.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.gates.assessment import Unmeasured
from brainseg.images.volume import Spacing
from brainseg.inference import fill_holes

Image = NDArray[np.float32]
Bool = NDArray[np.bool_]

AIR_FROM_MM = 12.0  # beyond the head, where nothing blurs into the air
STRUCTURE_FROM_MM = 16.0
UPPER_HEAD_MM = 90.0
LEAST_AIR = 1000  # voxels of about 2 mm
LEAST_SHARE = 0.4  # of the air that is not of one value; where there is less, it is what a mask has left
BRIGHT = 0.4  # of the median in tissue; ghosts are darker than the head
OPENED_MM, CLOSED_MM = 4.0, 6.0
FILLED_MM = (6.0, 8.0)  # thinner parts of one value count as noise; air so near to a part is left out
RAYLEIGH = float(np.sqrt(np.pi / (4 - np.pi)))  # mean of the noise in air over its standard deviation

NO_AIR = Unmeasured("too little air is in the image")
ONE_VALUE = Unmeasured("most of the background has one value and no noise, as where it was set to 0")


def air_level(image: Image, tissue: Bool) -> float:
    """The median in the eight corners as a share of the median in tissue: near 0, unless black is white."""
    corner = [max(1, n // 16) for n in image.shape]
    ends = [(slice(0, n), slice(-n, None)) for n in corner]
    air = np.median([np.median(image[box]) for box in product(*ends)])
    return float(air / np.median(image[tissue])) if tissue.any() else 0.0


@dataclass(frozen=True)
class Air:
    """The air around a head.

    Args:
        head: All that is bright, closed and filled.
        distance_mm: Distance to the head, 0 inside.
        filled: Where the background is of one value, with some mm around.
        middle: The median in tissue.
    """

    head: Bool
    distance_mm: NDArray[np.float32]
    filled: Bool
    middle: float

    def from_mm(self, distance_mm: float) -> Bool:
        """The air that is farther from the head, without what has one value."""
        return (self.distance_mm > distance_mm) & ~self.filled


def air_around(image: Image, tissue: Bool, spacing_mm: Spacing) -> Air | Unmeasured:
    """The air around the head in an image, or why nothing can be said of it."""
    middle = float(np.median(image[tissue])) if tissue.any() else 1.0
    head = _head(image > BRIGHT * middle, spacing_mm)
    beyond, one_value = ~_grown(head, AIR_FROM_MM, spacing_mm), image == image.min()
    if beyond.sum() < LEAST_AIR:
        return NO_AIR
    if one_value[beyond].mean() > 1 - LEAST_SHARE:
        return ONE_VALUE
    filled = _filled(one_value, spacing_mm)
    distance = ndimage.distance_transform_edt(~head, sampling=spacing_mm).astype(np.float32)
    air = Air(head, distance, filled, middle)
    return air if air.from_mm(AIR_FROM_MM).sum() >= LEAST_AIR else NO_AIR


def ghost_level(image: Image, squares: Image, air: Air) -> float:
    """What the air around the head holds beyond noise, as a share of the median in tissue.

    The noise is known from the air itself: the mean of Rayleigh noise is 1.91 times its standard deviation,
    and whatever else lies evenly in the air raises the mean alone (Gudbjartsson and Patz, Magnetic Resonance
    in Medicine 1995, equation 5).

    Args:
        image: Means over the voxels of the scan.
        squares: Means of their squares.
        air: Around the head.
    """
    around = air.from_mm(AIR_FROM_MM)
    mean = float(image[around].mean(dtype=np.float64))
    deviation = np.sqrt(max(float(squares[around].mean(dtype=np.float64)) - mean**2, 0.0))
    return float((mean - RAYLEIGH * deviation) / air.middle)


def air_structure(image: Image, air: Air, spacing_mm: Spacing) -> float | Unmeasured:
    """How uneven the air beside the upper head is, smoothed, as a share of the median in tissue.

    Noise is even; ghosts and the blurred copy of a head that moved are not. The air beside face and neck is
    left out, since dark muscle there may be taken for air. The measure is the 99th percentile less the 25th.
    """
    around = air.from_mm(STRUCTURE_FROM_MM)
    top = int(np.flatnonzero(air.head.any(axis=(0, 1)))[-1]) if air.head.any() else 0
    first = max(0, int(top - UPPER_HEAD_MM / spacing_mm[2]))
    around, image = around[:, :, first:], image[:, :, first:]
    deviation = [4.0 / step for step in spacing_mm]
    weight = ndimage.gaussian_filter(around.astype(np.float32), deviation)
    seen = around & (weight > 0.5)
    if seen.sum() < LEAST_AIR:
        return NO_AIR
    smooth = ndimage.gaussian_filter(image * around, deviation)[seen] / weight[seen]
    low, high = np.percentile(smooth, [25, 99])
    return float((high - low) / air.middle)


def _head(bright: Bool, spacing_mm: Spacing) -> Bool:
    """All that is bright, opened, closed and filled, also where the image cuts it off above or below."""
    opened = _grown(_shrunk(bright, OPENED_MM, spacing_mm), OPENED_MM, spacing_mm)
    head = _shrunk(_grown(opened, CLOSED_MM, spacing_mm), CLOSED_MM, spacing_mm)
    capped = np.pad(np.pad(head, ((0, 0), (0, 0), (1, 1)), constant_values=True), ((1, 1), (1, 1), (0, 0)))
    return fill_holes(capped)[1:-1, 1:-1, 1:-1]


def _filled(one_value: Bool, spacing_mm: Spacing) -> Bool:
    """Thick parts of one value, with some mm around them."""
    thick, around = FILLED_MM
    return _grown(_shrunk(one_value, thick, spacing_mm), around, spacing_mm)


def _grown(mask: Bool, mm: float, spacing_mm: Spacing) -> Bool:
    """The mask and what some steps through faces reach, as many along each axis as make up `mm`."""
    steps = [round(mm / step) for step in spacing_mm]
    for n in range(max(steps)):
        grown = mask.copy()
        for axis in (axis for axis, wanted in enumerate(steps) if n < wanted):
            here, there = np.moveaxis(grown, axis, 0), np.moveaxis(mask, axis, 0)
            here[1:] |= there[:-1]
            here[:-1] |= there[1:]
        mask = grown
    return mask


def _shrunk(mask: Bool, mm: float, spacing_mm: Spacing) -> Bool:
    """The opposite; what lies beyond the image takes nothing away."""
    return ~_grown(~mask, mm, spacing_mm)
