"""A scan as a network wants it, in RAS and of one voxel size, and the way back onto the scan's own grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config import VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError, GeometryError, ImageError
from brainseg.images.masks import Box, box_of
from brainseg.images.regrid import with_same_corner
from brainseg.images.size_limits import by, refuse_too_many
from brainseg.images.tissue import TISSUE_ABOVE, brighter_than_mean
from brainseg.images.volume import Grid, Volume, ras_grid, to_ras
from brainseg.preprocess import resample
from brainseg.preprocess.landmarks import at_landmarks

Landmarks = Sequence[Sequence[float]]

HEAD_MARGIN_MM = 8.0
LEAST_FILLED = 0.05  # of the fullest layer's bright voxels: where the head begins
CLIPPED = 1.5  # what percentiles scale is no larger
REPORT_SHAPE = (240, 240, 155)
_SAME_SPACING = 1e-3  # relative; scanners write 0.9999998 mm


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan ready for a network.

    Attributes:
        image: float32 (C, X, Y, Z), channels in the order of `modalities`.
        grid: Where these voxels lie: in RAS, cropped, of the wanted voxel size.
        source: The grid of the scan as it was given.
        crop: The part of that scan in RAS which `image` was made of.
    """

    image: NDArray[np.float32]
    grid: Grid
    source: Grid
    crop: Box

    @property
    def origin(self) -> tuple[int, int, int]:
        """Which voxel the first one of `image` would be, had the whole scan been prepared uncropped."""
        x, y, z = (round(-float(along[0])) for along in _positions(self.grid, ras_grid(self.source)))
        return x, y, z

    def undo(self, array: NDArray[Any], *, nearest: bool, outside: float = 0) -> NDArray[Any]:
        """An array on `grid` brought back onto `source`, in its axes and shape.

        Args:
            array: (K, X, Y, Z), e.g. one probability or logit per class.
            nearest: Take the nearest voxel and keep the dtype, as labels need; otherwise interpolate
                linearly, as float32. For the least jagged label map interpolate probabilities, then take
                the largest.
            outside: What lies outside of the crop.
        """
        return self.paste(self.at_source(array, nearest=nearest), outside)

    def at_source(self, array: NDArray[Any], *, nearest: bool) -> NDArray[Any]:
        """As `undo`, but only the source's voxels that `image` covers, still in RAS: (K, *covered)."""
        if array.shape[1:] != self.grid.shape:
            raise GeometryError(f"an array {array.shape} does not lie on the prepared grid {self.grid.shape}")
        _, positions = self._coverage
        if nearest:
            return resample.nearest(array, positions)
        return resample.linear(np.asarray(array, dtype=np.float32), positions)

    def cut(self, mask: NDArray[Any]) -> NDArray[Any]:
        """The part of an array (X, Y, Z) on `source` where `at_source` lies, in RAS; a view."""
        box, _ = self._coverage
        return np.asarray(to_ras(Volume(mask[None], self.source)).data[0][box])

    def paste(self, array: NDArray[Any], outside: float = 0) -> NDArray[Any]:
        """What `at_source` gives, within the whole of `source`, in its axes."""
        box, _ = self._coverage
        full = np.zeros((len(array), *self.source.shape), dtype=array.dtype)
        if outside:
            full[:] = outside
        to_ras(Volume(full, self.source)).data[(slice(None), *box)] = array  # a view: flips and transposes
        return full

    @cached_property
    def _coverage(self) -> tuple[Box, list[resample.Positions]]:
        positions = _positions(self.grid, ras_grid(self.source))
        return _covered(positions, self.grid.shape, self.crop)


def prepare_volume(
    volume: Volume,
    settings: VolumePreprocess,
    brain: NDArray[np.bool_] | None = None,
    landmarks: Landmarks | None = None,
) -> Prepared:
    """The scan turned to RAS, masked, cropped, resampled and scaled, in this order; `Crop.report` comes last.

    Resampling is linear, smoothed before downsampling (`resample.linear_weights`). A spacing that the
    scan has already, within a thousandth, leaves its voxels as they are.

    Args:
        volume: (C, X, Y, Z) in any orientation, channels in the order of `settings.modalities`.
        settings: What the network was, or will be, trained with.
        brain: (X, Y, Z) on the volume's grid; outside it everything becomes 0 before the crop.
        landmarks: Each channel's, learnt from the training part; for `Intensity.landmarks` only.

    Raises:
        ImageError: The number of channels is wrong, the brain is empty, or a channel is constant.
        ConfigError: Landmarks are needed and not given.
    """
    if len(volume.data) != len(settings.modalities):
        raise ImageError(
            f"the scan has {len(volume.data)} channels but {len(settings.modalities)} are needed: "
            f"{', '.join(settings.modalities)}"
        )
    ras = to_ras(volume)
    kept, crop = _kept(ras, None if brain is None else _in_ras(brain, volume.grid), settings.crop)
    image, grid = kept.astype(np.float32), _cropped(ras.grid, crop)
    if settings.spacing_mm is not None:
        wanted = _spaced(grid, settings.spacing_mm)
        image, grid = resample.linear(image, _positions(grid, wanted)), wanted
    if settings.intensity is Intensity.landmarks:
        if landmarks is None:
            raise ConfigError("preprocess.intensity=landmarks, but no landmarks were learnt")
        image = np.stack([at_landmarks(own, common) for own, common in zip(image, landmarks, strict=True)])
    scaled = np.stack(
        [
            _scaled(channel, settings.intensity, name)
            for channel, name in zip(image, settings.modalities, strict=True)
        ]
    )
    if settings.crop is Crop.report:
        box = report_box(grid)
        scaled, grid = scaled[(slice(None), *box)], _cropped(grid, box)
    return Prepared(np.ascontiguousarray(scaled), grid, volume.grid, crop)


def prepare_labels(labels: Volume, prepared: Prepared) -> NDArray[np.uint8]:
    """Labels (X, Y, Z) at the voxels of a prepared scan, each the one with most weight there.

    Args:
        labels: (1, X, Y, Z) of class indices, on the grid that the scan was given on.
        prepared: That scan.

    Raises:
        GeometryError: The labels lie on another grid.
    """
    difference = labels.grid.difference(prepared.source)
    if difference is not None:
        raise GeometryError(f"the labels do not lie on the scan's grid: {difference}; resample them first")
    ras = to_ras(labels)
    data = resample.majority(ras.data[:1], _positions(ras.grid, prepared.grid))
    return np.ascontiguousarray(data[0], dtype=np.uint8)


def _in_ras(brain: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    if brain.shape != grid.shape:
        raise GeometryError(f"the brain mask is {brain.shape} but the scan is {grid.shape}")
    if not brain.any():
        raise ImageError("the brain mask is empty; look at the skull stripping of this scan")
    return np.asarray(to_ras(Volume(brain[None], grid)).data[0])


def _kept(volume: Volume, brain: NDArray[np.bool_] | None, crop: Crop) -> tuple[NDArray[Any], Box]:
    """What is left of a scan in RAS, (C, *box), 0 outside the brain, and the box where it lay."""
    if brain is None:
        box = _box(volume, crop)
        return volume.data[(slice(None), *box)], box
    near = box_of(brain)
    masked = np.where(brain[near], volume.data[(slice(None), *near)], 0)
    if crop is Crop.nonzero:  # all of it lies in the brain
        inner = box_of((masked != 0).any(axis=0))
        return masked[(slice(None), *inner)], _within(near, inner)
    whole = np.zeros_like(volume.data)  # untouched pages of zeros cost nothing
    whole[(slice(None), *near)] = masked
    return _kept(Volume(whole, volume.grid), None, crop)


def _within(box: Box, inner: Box) -> Box:
    """A box that was found in the part of an array that another box cuts out, in the array."""
    x, y, z = (range(side.start, side.stop)[part] for side, part in zip(box, inner, strict=True))
    return slice(x.start, x.stop), slice(y.start, y.stop), slice(z.start, z.stop)


def _box(volume: Volume, crop: Crop) -> Box:
    if crop is Crop.nonzero:
        return box_of((volume.data != 0).any(axis=0), (0, 0, 0))
    if crop is Crop.head:
        x, y, z = (int(np.ceil(HEAD_MARGIN_MM / spacing)) for spacing in volume.grid.spacing_mm)
        return box_of(head_of(volume.data), (x, y, z))
    return slice(None), slice(None), slice(None)


def report_box(grid: Grid) -> Box:
    """128 voxels a side out of the middle of a BraTS volume; the same in RAS as in the files' own LPS."""
    if grid.shape != REPORT_SHAPE:
        raise GeometryError(
            f"preprocess.crop=report cuts voxels out of {REPORT_SHAPE} of 1 mm, as BraTS has them; this scan "
            f"is {grid.shape}; set preprocess.crop=nonzero for scans of any size"
        )
    return slice(56, 184), slice(56, 184), slice(13, 141)


def head_of(image: NDArray[Any]) -> NDArray[np.bool_]:
    """(X, Y, Z): True in the head, less stray bright voxels in the air.

    A voxel is bright above `TISSUE_ABOVE` of the way from the 2nd to the 98th percentile. A layer of voxels
    counts when its share of bright ones is at least 5 % of the fullest layer's.
    """
    low, high = np.percentile(image[:, ::2, ::2, ::2], (2, 98), axis=(1, 2, 3))
    threshold = (low + TISSUE_ABOVE * (high - low)).reshape(-1, 1, 1, 1)
    head = np.asarray((image > threshold).any(axis=0))
    for axis in range(3):
        filled = head.sum(axis=tuple(a for a in range(3) if a != axis))
        layers = filled >= LEAST_FILLED * filled.max()
        head = head & layers.reshape([-1 if a == axis else 1 for a in range(3)])
    return head


def _cropped(grid: Grid, box: Box) -> Grid:
    ranges = [range(*side.indices(size)) for side, size in zip(box, grid.shape, strict=True)]
    corner = np.eye(4)
    corner[:3, 3] = [r.start for r in ranges]
    return Grid((len(ranges[0]), len(ranges[1]), len(ranges[2])), grid.affine @ corner)


def _spaced(grid: Grid, spacing_mm: list[float]) -> Grid:
    """A grid of another voxel size from the same corner, over at least the same field of view.

    Raises:
        ImageError: It would be larger than any of a head.
    """
    ratio = np.divide(spacing_mm, grid.spacing_mm)
    ratio[np.abs(ratio - 1) < _SAME_SPACING] = 1
    refuse_too_many(
        np.divide(grid.shape, ratio).tolist(),
        f"a scan of voxels of {by(grid.spacing_mm)} mm, resampled to {by(spacing_mm)} mm, would have",
        "correct the voxel size in the header, or set a larger spacing_mm",
    )
    x, y, z = (int(np.ceil(n / r - 0.01)) for n, r in zip(grid.shape, ratio, strict=True))
    return with_same_corner(grid, ratio, (max(x, 1), max(y, 1), max(z, 1)))


def _positions(given: Grid, wanted: Grid) -> list[resample.Positions]:
    """For each axis, where the wanted voxels lie among the given ones; both grids have the same axes."""
    matrix = np.linalg.inv(given.affine) @ wanted.affine
    assert np.allclose(matrix[:3, :3], np.diag(np.diag(matrix)[:3]), atol=1e-4), "grids are turned"
    return [matrix[a, a] * np.arange(wanted.shape[a]) + matrix[a, 3] for a in range(3)]


def _covered(
    positions: list[resample.Positions], shape: tuple[int, int, int], crop: Box
) -> tuple[Box, list[resample.Positions]]:
    """The part of the wanted voxels that lies in the given ones, as a box, and their positions.

    The last of the given voxels may reach beyond the crop, where they only repeat its outer layer.
    """
    sides = []
    for along, size, side in zip(positions, shape, crop, strict=True):
        # A voxel whose centre lies on the very border counts as inside.
        covered = (along > -0.5 - 1e-6) & (along < size - 0.5 + 1e-6)
        kept = np.arange(len(along))[side]
        inside = kept[covered[kept]]
        sides.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
    return (sides[0], sides[1], sides[2]), [p[s] for p, s in zip(positions, sides, strict=True)]


def _scaled(image: NDArray[np.float32], intensity: Intensity, name: str) -> NDArray[np.float32]:
    """One channel, (X, Y, Z)."""
    if image.min() == image.max():
        raise ImageError(
            f"{name}: all voxels used are {image.flat[0]:g}; look at the scan and its brain mask"
        )
    match intensity:
        case Intensity.zscore:
            return _standardised(image, name)
        case Intensity.zscore_nonzero:
            # Not "above 0": scans that were z-scored before have negative values in the brain.
            return _standardised(image, name, image != 0)
        case Intensity.minmax:
            low, high = image.min(), image.max()
            return np.asarray((image - low) / (high - low))
        case Intensity.percentile:
            return _head_range_to_unit(image, name)
        case Intensity.landmarks:
            return _standardised_by_head(image, name)


def _standardised(
    image: NDArray[np.float32], name: str, inside: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Mean 0, standard deviation 1 (that of the population), of what lies inside; the rest is and stays 0."""
    n = image.size if inside is None else np.count_nonzero(inside)
    centred = image - np.float32(image.sum(dtype=np.float64) / n)
    if inside is not None:
        np.copyto(centred, 0, where=~inside)
    deviation = np.float32(np.sqrt(np.square(centred).sum(dtype=np.float64) / n))
    if deviation == 0:
        value = image.max() or image.min()
        raise ImageError(f"{name}: all voxels other than 0 are {value:g}; a mask given as a scan?")
    centred /= deviation
    return centred


def _standardised_by_head(image: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Mean 0, standard deviation 1 (unbiased) of the voxels brighter than the mean; the rest goes along."""
    head = brighter_than_mean(image).astype(np.float64)
    if len(head) < 2 or head.std() == 0:
        raise ImageError(f"{name}: the brighter voxels are all one value; a mask given as a scan?")
    return np.asarray((image - head.mean()) / head.std(ddof=1), dtype=np.float32)


def _head_range_to_unit(image: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Percentiles .5 and 99.5 of the voxels brighter than the mean to 0 and 1; clipped to [0, 1.5]."""
    head = brighter_than_mean(image)
    low, high = np.percentile(head, (0.5, 99.5))
    if high <= low:
        raise ImageError(f"{name}: the brighter voxels are all {low:g}; a mask given as a scan?")
    scaled = (image - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, CLIPPED, out=scaled)
