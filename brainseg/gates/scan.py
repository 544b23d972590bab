"""Measures of a scan before anything is done to it. All take an image (X, Y, Z) in RAS."""

from itertools import product

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
