"""Scans read and written, brought to other grids, and the parts of masks: numpy and nibabel are enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Box = tuple[slice, ...]
PLACE = (  # of a NIfTI header
    *("pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)


class Fault(Exception):
    """What the user can mend, in one line."""


@dataclass(frozen=True)
class Volume:
    """Voxels (C, X, Y, Z) and the matrix (4, 4) from their indices to mm in the world."""

    data: Array
    affine: Array
    header: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape[1:])

    @property
    def spacing(self) -> Array:
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    def corners(self) -> Array:
        return (
            np.array(list(product(*((0, n - 1) for n in self.shape)))) @ self.affine[:3, :3].T
            + self.affine[:3, 3]
        )

    def lies_on(self, other: "Volume", tolerance_mm: float = 0.01) -> bool:
        return self.shape == other.shape and bool(
            np.linalg.norm(self.corners() - other.corners(), axis=1).max() <= tolerance_mm
        )


def read(path: str) -> Volume:
    """One scan, float32 (1, X, Y, Z)."""
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except Exception as error:  # nibabel meets broken files with many types
        said = " ".join(str(error).split())
        raise Fault(f"{path}: cannot be read ({said}); give a NIfTI file of grey voxels") from error
    if data.ndim < 3 or data.size != np.prod(data.shape[:3]):
        raise Fault(f"{path}: has the shape {data.shape}, where one volume is needed; split the file")
    header = image.header if isinstance(image.header, nib.Nifti1Header) else None
    unit = 1.0 if header is None else {1: 1000.0, 3: 0.001}.get(int(header["xyzt_units"]) & 7, 1.0)
    volume = Volume(data.reshape(1, *data.shape[:3]), np.diag([unit, unit, unit, 1.0]) @ image.affine, header)
    if not np.isfinite(data).all():
        raise Fault(
            f"{path}: {int((~np.isfinite(data)).sum())} voxels are no numbers; set them to 0 if they are air"
        )
    if data.min() == data.max():
        raise Fault(f"{path}: all voxels are {data.flat[0]:g}; export the scan again")
    if not (volume.spacing.min() >= 0.05 and volume.spacing.max() <= 100):
        raise Fault(f"{path}: voxels of {volume.spacing} mm are those of no head; correct the header")
    return volume


def write(path: Path, data: Array, grid: Volume) -> str:
    """An array (X, Y, Z), or (K, X, Y, Z) with K last in the file, with the place of a scan's header."""
    data = np.moveaxis(data, 0, -1) if data.ndim == 4 else data
    header = nib.Nifti1Header()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    if grid.header is None:
        header.set_sform(grid.affine, code="scanner")
        header.set_xyzt_units("mm")
    else:
        for field in PLACE:
            header[field] = grid.header[field]
        header["pixdim"][4:] = 1
    nib.save(nib.Nifti1Image(data, header.get_best_affine(), header), path)
    return str(path)


def to_ras(volume: Volume) -> Volume:
    """The same voxels with the axes nearest to right, anterior, superior; the data is a view."""
    turns = nib.io_orientation(volume.affine)
    flips = tuple(slice(None, None, -1 if flip < 0 else 1) for _, flip in turns)
    order = [int(axis) + 1 for axis in np.argsort(turns[:, 0])]
    affine = volume.affine @ nib.orientations.inv_ornt_aff(turns, volume.shape)
    return Volume(volume.data[(slice(None), *flips)].transpose(0, *order), affine)


def positions(given: Array, wanted: Array, shape: Sequence[int]) -> list[Array]:
    """For each axis, where wanted voxels lie among given ones of the same directions."""
    matrix = np.linalg.inv(given) @ wanted
    return [matrix[a, a] * np.arange(shape[a]) + matrix[a, 3] for a in range(3)]


def linear(image: Array, where: Sequence[Array]) -> Array:
    """Linear interpolation of (C, X, Y, Z), smoothed before downsampling, as one matrix for each axis."""
    for axis in sorted(range(3), key=lambda a: len(where[a]) / image.shape[a + 1]):
        size, along = image.shape[axis + 1], where[axis]
        if len(along) == size and np.allclose(along, np.arange(size), rtol=0, atol=1e-4):
            continue
        index = np.arange(size)
        weights = np.maximum(0.0, 1.0 - np.abs(np.clip(along, 0, size - 1)[:, None] - index))
        step = (along[-1] - along[0]) / (len(along) - 1) if len(along) > 1 else size
        if step > 1:
            sigma = np.sqrt((step**2 - 1) / (8 * np.log(2)))
            blur = np.exp(-0.5 * ((index[:, None] - index) / sigma) ** 2)
            weights = weights @ (blur / blur.sum(axis=1, keepdims=True))
        image = np.moveaxis(np.tensordot(weights.astype(np.float32), image, (1, axis + 1)), 0, axis + 1)
    return np.ascontiguousarray(image, dtype=np.float32)


def sampled(data: Array, index: Array) -> Array:
    """Values (...) of (X, Y, Z) at places (..., 3) by linear interpolation; 0 outside the field of view."""
    flat, strides = np.ascontiguousarray(data).ravel(), (data.shape[1] * data.shape[2], data.shape[2], 1)
    inside = np.ones(index.shape[:-1], dtype=bool)
    sides = []
    for axis, (size, stride) in enumerate(zip(data.shape, strides, strict=True)):
        along = index[..., axis]
        nearest = np.floor(along + 0.5)
        inside &= (nearest >= 0) & (nearest < size)
        along = np.clip(along, 0, size - 1)
        low = np.floor(along).astype(np.intp)
        share = along - low
        sides.append(((1 - share, low * stride), (share, np.minimum(low + 1, size - 1) * stride)))
    total = np.zeros(index.shape[:-1])
    for (a, x), (b, y), (c, z) in product(*sides):
        total += a * b * c * flat[x + y + z]
    return np.where(inside, total, 0).astype(np.float32)


def places(matrix: Array, ranges: Sequence[Array]) -> Array:
    """The places (I, J, K, 3) of three ranges of indices."""
    i, j, k = np.ix_(*ranges)
    return np.stack([row[0] * i + row[1] * j + row[2] * k + row[3] for row in matrix[:3]], axis=-1)


def on_grid(volume: Volume, grid: Volume, name: str) -> Volume:
    """A scan (1, X, Y, Z) at the voxels of another one, by the headers."""
    if volume.lies_on(grid):
        return Volume(volume.data, grid.affine, grid.header)
    one, other = volume.corners(), grid.corners()
    shared = np.minimum(one.max(0), other.max(0)) - np.maximum(one.min(0), other.min(0))
    if np.prod(np.clip(shared, 0, None) / np.maximum(np.ptp(other, axis=0), 1e-6)) < 0.5:
        raise Fault(f"{name}: less than half of it overlaps with the other scans; check the headers")
    matrix = np.linalg.inv(volume.affine) @ grid.affine
    _, *rest = (np.arange(n) for n in grid.shape)
    layers = [sampled(volume.data[0], places(matrix, [np.array([x]), *rest])) for x in range(grid.shape[0])]
    return Volume(np.concatenate(layers)[None], grid.affine, grid.header)


def box_of(mask: Array, margin: Sequence[int] = (0, 0, 0)) -> Box:
    """The box of a mask's voxels, wider by a margin; all where there are none."""
    used = [
        np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != own)))
        for own in range(mask.ndim)
    ]
    if not len(used[0]):
        return (slice(None),) * mask.ndim
    return tuple(slice(max(int(u[0]) - m, 0), int(u[-1]) + m + 1) for u, m in zip(used, margin, strict=False))


def parts_of(mask: Array, *, faces: bool) -> tuple[Array, Array]:
    """Part of each voxel (X, Y, Z), 0 outside the mask, and the sizes of parts 1, 2, ...

    Runs along the last axis are joined to those that they touch; `faces`: through faces alone.
    """
    begins = mask.copy()
    begins[..., 1:] &= ~mask[..., :-1]
    runs = np.where(mask, np.cumsum(begins).reshape(mask.shape), 0)
    root = np.arange(int(runs.max()) + 1)
    steps = [(0, 1, 0), (1, 0, 0)] if faces else [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 1)]
    pairs = []
    for step in steps:
        here = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, mask.shape, strict=True))
        there = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(step, mask.shape, strict=True))
        both = mask[here] & mask[there]
        both[..., 1:] &= ~both[..., :-1].copy()  # one pair of runs has one such voxel
        pairs.append(np.stack([runs[here][both], runs[there][both]]))
    one, other = np.concatenate(pairs, axis=1)
    while len(one):
        one, other = root[one], root[other]
        apart = one != other
        one, other = one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root[root] != root).any():
            root = root[root]
    number = np.unique(root, return_inverse=True)[1]  # that of 0, outside, stays 0
    found = number[runs]
    return found, np.bincount(found.ravel(), minlength=1)[1:]


def largest(mask: Array) -> Array:
    """The part of a mask (X, Y, Z) with the most voxels."""
    kept, box = np.zeros(mask.shape, dtype=bool), box_of(mask)
    found, sizes = parts_of(mask[box], faces=False)
    if len(sizes):
        kept[box] = found == sizes.argmax() + 1
    return kept


def large(mask: Array, voxels: int) -> Array:
    found, sizes = parts_of(mask, faces=False)
    return np.asarray(np.concatenate([[False], sizes >= voxels])[found])


def filled(mask: Array) -> Array:
    """The mask and what it encloses."""
    full, box = mask.copy(), box_of(mask)
    outside, sizes = parts_of(~mask[box], faces=True)
    linked = np.zeros(len(sizes) + 1, dtype=bool)
    for axis, edge in product(range(3), (0, -1)):
        linked[np.unique(np.take(outside, edge, axis=axis))] = True
    linked[0] = False
    full[box] = ~linked[outside]
    return full


def with_margin(mask: Array, margin_mm: float, spacing: Array) -> Array:
    """The mask and all voxels whose centre lies within the margin of one of its centres."""
    if margin_mm <= 0 or not mask.any():
        return mask
    reach = [int(np.ceil(margin_mm / side)) for side in spacing]
    box = box_of(mask, reach)
    square = np.where(mask[box], np.float32(0), np.float32(np.inf))
    for axis, (most, side) in enumerate(zip(reach, spacing, strict=True)):
        before = np.moveaxis(square.copy(), axis, 0)
        after = np.moveaxis(square, axis, 0)
        for k in range(1, min(most, len(before) - 1) + 1):
            far = np.float32((k * side) ** 2)
            np.minimum(after[k:], before[:-k] + far, out=after[k:])
            np.minimum(after[:-k], before[k:] + far, out=after[:-k])
    grown = mask.copy()
    grown[box] = square <= (margin_mm * (1 + 1e-6)) ** 2
    return grown
