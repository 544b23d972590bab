"""Measures of a scan before anything is done to it. All take an image (X, Y, Z) in RAS."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from brainseg.images.regrid import with_cubes, with_same_corner
from brainseg.images.volume import Grid, Spacing, Volume, ras_grid, resample_to, to_ras
from brainseg.inference import fill_holes

Image = NDArray[np.float32]
Bool = NDArray[np.bool_]

COARSE_MM = 2.0
SLAB = 4  # slices of a pooled image that are summed at a time
EDGE_MM = 4.0  # voxels in which the edges of two sequences are compared
FARTHEST_MM = 40.0  # the largest shift between two sequences that is looked for


class Pools:
    """The sequences of a subject, each in RAS and in voxels of about 2 mm, made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[NDArray[Any], Image, Spacing]] = {}

    def of(self, volume: Volume) -> tuple[Image, Spacing]:
        """The image (X, Y, Z) of a volume of one channel, and the size of its voxels."""
        ras = to_ras(volume)
        key = (id(volume.data), volume.grid.orientation, ras.grid.spacing_mm)
        if key not in self._made:  # with the array, whose id is its own while it lives
            self._made[key] = (volume.data, *coarse(ras.data[0], ras.grid.spacing_mm))
        _, image, spacing_mm = self._made[key]
        return image, spacing_mm


def coarse(image: NDArray[Any], spacing_mm: Spacing) -> tuple[Image, Spacing]:
    """The image or mask in voxels of about 2 mm, the means of several, and their size."""
    every = [max(1, round(COARSE_MM / step)) for step in spacing_mm]
    sides = [n // k * k for n, k in zip(image.shape, every, strict=True)]
    is_mask = image.dtype == bool and np.prod(every) < 256  # whose sums fit into a byte
    image = image.view(np.uint8) if is_mask else image
    small: NDArray[Any] = np.zeros(
        [n // k for n, k in zip(sides, every, strict=True)], np.uint8 if is_mask else np.float32
    )
    for start in range(0, len(small), SLAB):  # a slab at a time stays near the processor
        slab = image[start * every[0] : (start + SLAB) * every[0]]
        ends = (min(len(slab), sides[0] - start * every[0]), *sides[1:])
        for first in product(*(range(k) for k in every)):  # far faster than a mean over split axes
            some = tuple(slice(i, n, k) for i, n, k in zip(first, ends, every, strict=True))
            small[start : start + SLAB] += slab[some]
    x, y, z = (step * k for step, k in zip(spacing_mm, every, strict=True))
    return np.divide(small, np.float32(np.prod(every)), dtype=np.float32), (x, y, z)


def grey_levels(image: Image, tissue: Bool) -> int:
    """Different values in tissue, in a middle slice of each plane."""
    middles = [(slice(None),) * axis + (n // 2,) for axis, n in enumerate(image.shape)]
    return len(np.unique(np.concatenate([image[cut][tissue[cut]] for cut in middles])))


def saturated_share(image: Image, tissue: Bool) -> float:
    """Share of the tissue that has the highest value of all."""
    inside = image[tissue]
    return np.count_nonzero(inside == inside.max()) / inside.size


def sharpness(image: Image, tissue: Bool, spacing_mm: Spacing) -> float:
    """Standard deviation of structures below about 4 mm, as a share of that of all tissue."""
    smooth = ndimage.gaussian_filter(image, [2.0 / step for step in spacing_mm])
    inner = ndimage.binary_erosion(fill_holes(tissue), iterations=2) & tissue
    if not inner.any():
        return 0.0
    return float((image - smooth)[inner].std() / image[inner].std())


def on_cubes(volume: Volume, grid: Grid, pools: Pools) -> NDArray[np.float32]:
    """A sequence in the field of view of a grid, in RAS and cubes of EDGE_MM: two of them can be compared."""
    cubes = with_cubes(ras_grid(grid), EDGE_MM)
    return resample_to(_pooled(volume, pools), cubes, nearest=False).data[0].astype(np.float32)


def likeness(one: Image, other: Image) -> float:
    """Correlation of two sequences on the same cubes; 1 for the same image twice."""
    a, b = one.ravel(), other.ravel()
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


@dataclass(frozen=True)
class Edges:
    """Where the edges of a sequence on cubes lie.

    Attributes:
        spectrum: The Fourier transform of how strong they are, with FARTHEST_MM around.
        shape: Before it was transformed.
    """

    spectrum: NDArray[np.complex128]
    shape: tuple[int, ...]


def apart_mm(one: Edges, other: Edges) -> float:
    """How far the head of one sequence lies from that of another on the same cubes, by their edges, mm."""
    match = fft.irfftn(one.spectrum * np.conj(other.spectrum), s=one.shape)
    reach = int(FARTHEST_MM / EDGE_MM)
    shifts = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    found = shifts[match[tuple(shifts.T)].argmax()]
    return float(np.linalg.norm(found) * EDGE_MM)


def edges_of(cubes: Image) -> Edges:
    """The edges of a sequence on cubes."""
    edges = ndimage.gaussian_gradient_magnitude(ndimage.gaussian_filter(cubes, 0.5), 1.0)
    edges = np.minimum(edges, np.percentile(edges, 98))
    padded = np.asarray(np.pad(edges - edges.mean(), int(FARTHEST_MM / EDGE_MM)), dtype=np.float64)
    return Edges(fft.rfftn(padded), padded.shape)


def _pooled(volume: Volume, pools: Pools) -> Volume:
    ras = ras_grid(volume.grid)
    image, spacing_mm = pools.of(volume)
    ratio = np.array(spacing_mm) / ras.spacing_mm
    x, y, z = image.shape
    return Volume(image[None], with_same_corner(ras, ratio, (x, y, z)))


def middle_of(image: Image) -> tuple[slice, ...]:
    """Three fifths of each side: enough to tell how noisy it is."""
    return tuple(slice(n // 5, n - n // 5) for n in image.shape)
