"""Measures of a scan before anything is done to it. All take an image (X, Y, Z) in RAS."""

from dataclasses import dataclass
from itertools import product, repeat

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from brainseg.images.regrid import with_cubes, with_same_corner
from brainseg.images.volume import Grid, Spacing, Volume, ras_grid, resample_to, to_ras
from brainseg.inference import fill_holes

Image = NDArray[np.float32]
Bool = NDArray[np.bool_]

COARSE_MM = 2.0
EDGE_MM = 4.0  # voxels in which the edges of two sequences are compared
FARTHEST_MM = 40.0  # the largest shift between two sequences that is looked for
AIR_FROM_MM = 12.0  # beyond the head, where nothing blurs into the air
STRUCTURE_FROM_MM = 16.0
UPPER_HEAD_MM = 90.0
LEAST_AIR = 1000  # voxels of about 2 mm


def coarse(image: Image, spacing_mm: Spacing) -> tuple[Image, Spacing]:
    """The image in voxels of about 2 mm, the means of several, and their size."""
    every = [max(1, round(COARSE_MM / step)) for step in spacing_mm]
    sides = [n // k * k for n, k in zip(image.shape, every, strict=True)]
    small = np.zeros([n // k for n, k in zip(sides, every, strict=True)], np.float32)
    for first in product(*(range(k) for k in every)):  # far faster than a mean over split axes
        small += image[tuple(slice(i, n, k) for i, n, k in zip(first, sides, every, strict=True))]
    x, y, z = (step * k for step, k in zip(spacing_mm, every, strict=True))
    return small / np.float32(np.prod(every)), (x, y, z)


def grey_levels(image: Image, tissue: Bool) -> int:
    """Different values in tissue, in a middle slice of each plane."""
    middles = [(slice(None),) * axis + (n // 2,) for axis, n in enumerate(image.shape)]
    return len(np.unique(np.concatenate([image[cut][tissue[cut]] for cut in middles])))


def saturated_share(image: Image, tissue: Bool) -> float:
    """Share of the tissue that has the highest value of all."""
    inside = image[tissue]
    return float((inside == inside.max()).mean())


def lost_slices(image: Image) -> int:
    """Slices between others that hold one value only, or what their neighbour holds, along the worst axis."""
    lost = 0
    for rows in map(_slices, repeat(image), range(3)):
        filled = rows.min(axis=1) < rows.max(axis=1)
        used = np.flatnonzero(filled)
        empty = int((~filled[used[0] : used[-1]]).sum()) if used.size else 0
        repeated = int(((rows[1:] == rows[:-1]).all(axis=1) & filled[1:]).sum())
        lost = max(lost, empty + repeated)
    return lost


def slice_order(image: Image) -> float:
    """How much more a slice is like its neighbour than like the next but one, along the worst axis.

    Below 0 slices lie in a wrong order. The measure is the mean correlation at one step less that at two.
    """
    worst = 1.0
    for rows in map(_slices, repeat(image), range(3)):
        rows = rows[rows.std(axis=1) > 0.1 * rows.std()]
        if len(rows) < 6:
            continue
        rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        one, two = ((rows[k:] * rows[:-k]).mean() for k in (1, 2))
        worst = min(worst, float(one - two))
    return worst


def slice_jump(image: Image) -> float:
    """The largest change from a slice to the next as a multiple of the usual one, along the worst axis."""
    worst = 0.0
    for rows in map(_slices, repeat(image), range(3)):
        changes = np.abs(np.diff(rows, axis=0)).mean(axis=1)
        usual = np.median(changes[changes > 0.05 * changes.max()]) if changes.max() > 0 else 1.0
        worst = max(worst, float(changes.max() / usual))
    return worst


def _slices(image: Image, axis: int) -> NDArray[np.float32]:
    """Slices across an axis, a row each, of some 96 x 96 of their voxels."""
    slices = np.moveaxis(image, axis, 0)
    y, z = (max(1, n // 96) for n in slices.shape[1:])
    return slices[:, ::y, ::z].reshape(len(slices), -1).astype(np.float32)


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
        head: All that is bright, closed and filled; ghosts are darker than the head.
        distance_mm: Distance to the head, 0 inside.
        middle: The median in tissue.
    """

    head: Bool
    distance_mm: NDArray[np.float64]
    middle: float


def air_around(image: Image, tissue: Bool, spacing_mm: Spacing) -> Air:
    middle = float(np.median(image[tissue])) if tissue.any() else 1.0
    bright = ndimage.binary_opening(image > 0.4 * middle, iterations=2)
    head = fill_holes(ndimage.binary_closing(bright, iterations=3))
    return Air(head, ndimage.distance_transform_edt(~head, sampling=spacing_mm), middle)


def ghost_level(image: Image, air: Air, noise: float) -> float:
    """What the air around the head holds beyond noise, as a share of the median in tissue.

    The mean of Rician noise in air is 1.25 times its standard deviation in tissue, which `noise` is as a
    share of the median.
    """
    around = air.distance_mm > AIR_FROM_MM
    if around.sum() < LEAST_AIR:
        return 0.0
    return float(image[around].mean() / air.middle - 1.2533 * noise)


def air_structure(image: Image, air: Air, spacing_mm: Spacing) -> float:
    """How uneven the air beside the upper head is, smoothed, as a share of the median in tissue.

    Noise is even; ghosts and the blurred copy of a head that moved are not. The air beside face and neck is
    left out, since dark muscle there may be taken for air. The measure is the 99th percentile less the 25th.
    """
    around = air.distance_mm > STRUCTURE_FROM_MM
    top = int(np.flatnonzero(air.head.any(axis=(0, 1)))[-1]) if air.head.any() else 0
    around[:, :, : max(0, int(top - UPPER_HEAD_MM / spacing_mm[2]))] = False
    deviation = [4.0 / step for step in spacing_mm]
    weight = ndimage.gaussian_filter(around.astype(np.float32), deviation)
    seen = around & (weight > 0.5)
    if seen.sum() < LEAST_AIR:
        return 0.0
    smooth = ndimage.gaussian_filter(image * around, deviation)[seen] / weight[seen]
    low, high = np.percentile(smooth, [25, 99])
    return float((high - low) / air.middle)


def sharpness(image: Image, tissue: Bool, spacing_mm: Spacing) -> float:
    """Standard deviation of structures below about 4 mm, as a share of that of all tissue."""
    smooth = ndimage.gaussian_filter(image, [2.0 / step for step in spacing_mm])
    inner = ndimage.binary_erosion(fill_holes(tissue), iterations=2) & tissue
    if not inner.any():
        return 0.0
    return float((image - smooth)[inner].std() / image[inner].std())


def on_cubes(volume: Volume, grid: Grid) -> NDArray[np.float32]:
    """A sequence in the field of view of a grid, in RAS and cubes of EDGE_MM: two of them can be compared."""
    cubes = with_cubes(ras_grid(grid), EDGE_MM)
    return resample_to(_pooled(volume), cubes, nearest=False).data[0].astype(np.float32)


def likeness(one: Image, other: Image) -> float:
    """Correlation of two sequences on the same cubes; 1 for the same image twice."""
    a, b = one.ravel(), other.ravel()
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def apart_mm(one: Image, other: Image) -> float:
    """How far the head of one sequence lies from that of another on the same cubes, by their edges, mm."""
    first, second = _edges(one), _edges(other)
    spectrum = fft.rfftn(first) * np.conj(fft.rfftn(second))
    match = fft.irfftn(spectrum, s=first.shape)
    reach = int(FARTHEST_MM / EDGE_MM)
    shifts = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    found = shifts[match[tuple(shifts.T)].argmax()]
    return float(np.linalg.norm(found) * EDGE_MM)


def _pooled(volume: Volume) -> Volume:
    ras = to_ras(volume)
    image, spacing_mm = coarse(ras.data[0], ras.grid.spacing_mm)
    ratio = np.array(spacing_mm) / ras.grid.spacing_mm
    x, y, z = image.shape
    return Volume(image[None], with_same_corner(ras.grid, ratio, (x, y, z)))


def _edges(image: Image) -> NDArray[np.float64]:
    edges = ndimage.gaussian_gradient_magnitude(ndimage.gaussian_filter(image, 0.5), 1.0)
    edges = np.minimum(edges, np.percentile(edges, 98))
    return np.asarray(np.pad(edges - edges.mean(), int(FARTHEST_MM / EDGE_MM)), dtype=np.float64)


def middle_of(image: Image) -> tuple[slice, ...]:
    """Three fifths of each side: enough to tell how noisy it is."""
    return tuple(slice(n // 5, n - n // 5) for n in image.shape)
