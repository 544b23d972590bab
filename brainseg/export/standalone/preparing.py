"""Scans and slices as a network wants them, by what model.json says, and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainseg.export.standalone.voxels import (
    Array,
    Box,
    Fault,
    Volume,
    box_of,
    linear,
    parts_of,
    positions,
    to_ras,
)

TISSUE_ABOVE = 0.1  # share of the 98th percentile
PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # that landmarks stand for
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class Prepared:
    """A scan (C, X, Y, Z) ready for a network, and where its voxels lie.

    Attributes:
        image: float32, in RAS, cropped, of the wanted voxel size.
        affine: Of these voxels.
        source: The scan as it was given.
        crop: The part of it, in RAS, that `image` was made of.
    """

    image: Array
    affine: Array
    source: Volume
    crop: Box

    @property
    def origin(self) -> list[int]:
        """Which voxel the first one would be, had the whole scan been prepared."""
        whole = to_ras(self.source)
        return [round(-float(p[0])) for p in positions(self.affine, whole.affine, whole.shape)]

    def covered(self) -> tuple[Box, list[Array]]:
        """The voxels of the source, in RAS, that `image` covers, as a box, and where they lie in it."""
        whole = to_ras(self.source)
        where = positions(self.affine, whole.affine, whole.shape)
        sides = []
        for along, size, side in zip(where, self.image.shape[1:], self.crop, strict=True):
            kept = np.arange(len(along))[side]
            inside = kept[(along[kept] > -0.5 - 1e-6) & (along[kept] < size - 0.5 + 1e-6)]
            sides.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
        return tuple(sides), [p[s] for p, s in zip(where, sides, strict=True)]

    def cut(self, mask: Array) -> Array:
        """The part of an array (X, Y, Z) on the source that `image` covers, in RAS."""
        return np.asarray(to_ras(Volume(mask[None], self.source.affine)).data[0][self.covered()[0]])

    def paste(self, array: Array, outside: float = 0) -> Array:
        """An array (K, ...) of the covered voxels within all of the source, in its axes."""
        full = np.full((len(array), *self.source.shape), outside, dtype=array.dtype)
        to_ras(Volume(full, self.source.affine)).data[(slice(None), *self.covered()[0])] = array  # a view
        return full


def prepare(
    volume: Volume, how: Mapping[str, Any], names: Sequence[str], brain: Array | None = None
) -> Prepared:
    """The scan turned to RAS, masked, cropped, resampled and scaled, in this order.

    Args:
        volume: (C, X, Y, Z).
        how: "preparation" of model.json.
        names: The sequences of the channels.
        brain: (X, Y, Z); outside of it everything becomes 0.
    """
    ras = to_ras(volume)
    data = ras.data
    if brain is not None:
        if not brain.any():
            raise Fault("the brain mask is empty; look at the scan")
        data = np.where(to_ras(Volume(brain[None], volume.affine)).data, data, 0)
    crop = crop_of(data, ras.spacing, how["crop"])
    image, affine = data[(slice(None), *crop)].astype(np.float32), shifted(ras.affine, crop)
    if how["spacing_mm"] is not None:
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        ratio = np.divide(how["spacing_mm"], spacing)
        ratio[np.abs(ratio - 1) < 1e-3] = 1
        shape = [max(int(np.ceil(n / r - 0.01)), 1) for n, r in zip(image.shape[1:], ratio, strict=True)]
        if max(shape) > 2048 or np.prod(shape) > 2**29:
            raise Fault(
                f"the scan would have {shape} voxels of {how['spacing_mm']} mm; "
                "correct the voxel size in its header"
            )
        step = np.diag([*ratio, 1.0])
        step[:3, 3] = (ratio - 1) / 2  # the outer corner of the first voxel stays
        image, affine = linear(image, positions(affine, affine @ step, shape)), affine @ step
    marks = how["landmarks"] or {}
    image = np.stack(
        [scaled(one, how["intensity"], name, marks.get(name)) for one, name in zip(image, names, strict=True)]
    )
    if how["crop"]["rule"] == "report":
        if list(image.shape[1:]) != how["crop"]["shape"]:
            raise Fault(
                f"the scan has {image.shape[1:]} voxels, where the model knows {how['crop']['shape']} alone"
            )
        box = tuple(slice(*side) for side in how["crop"]["box"])
        image, affine = image[(slice(None), *box)], shifted(affine, box)
    return Prepared(np.ascontiguousarray(image, dtype=np.float32), affine, volume, crop)


def shifted(affine: Array, box: Box) -> Array:
    corner = np.eye(4)
    corner[:3, 3] = [side.start or 0 for side in box]
    return np.asarray(affine @ corner)


def crop_of(data: Array, spacing: Array, how: Mapping[str, Any]) -> Box:
    """The part of a scan (C, X, Y, Z) in RAS that is looked at."""
    if how["rule"] == "nonzero":
        return box_of((data != 0).any(axis=0))
    if how["rule"] != "head":
        return (slice(None),) * 3
    low, high = np.percentile(data[:, ::2, ::2, ::2], (2, 98), axis=(1, 2, 3))
    head = (data > (low + TISSUE_ABOVE * (high - low)).reshape(-1, 1, 1, 1)).any(axis=0)
    for axis in range(3):
        full = head.sum(axis=tuple(a for a in range(3) if a != axis))
        head = head & (full >= 0.05 * full.max()).reshape([-1 if a == axis else 1 for a in range(3)])
    return box_of(head, [int(np.ceil(how["margin_mm"] / side)) for side in spacing])


def scaled(image: Array, rule: str, name: str, landmarks: Sequence[float] | None) -> Array:
    """The intensities of one channel (X, Y, Z)."""
    if image.min() == image.max():
        raise Fault(
            f"{name}: all voxels that are used are {image.flat[0]:g}; look at the scan and its brain mask"
        )
    if rule == "minmax":
        return np.asarray((image - image.min()) / (image.max() - image.min()))
    if rule in ("zscore", "zscore_nonzero"):
        inside = image != 0 if rule == "zscore_nonzero" else np.ones(image.shape, dtype=bool)
        n = np.count_nonzero(inside)
        centred = image - np.float32(image.sum(dtype=np.float64) / n)
        centred[~inside] = 0
        deviation = np.float32(np.sqrt(np.square(centred).sum(dtype=np.float64) / n))
        if deviation == 0:
            raise Fault(f"{name}: all voxels other than 0 are one value; a mask given as a scan?")
        return np.asarray(centred / deviation)
    if rule == "landmarks":
        image = at_landmarks(image, np.asarray(landmarks), name)
    head = bright(image)
    if rule == "landmarks":
        head = head.astype(np.float64)
        return np.asarray((image - head.mean()) / head.std(ddof=1), dtype=np.float32)
    low, high = np.percentile(head, (0.5, 99.5))
    if high <= low:
        raise Fault(f"{name}: the brighter voxels are all {low:g}; a mask given as a scan?")
    return np.clip((image - np.float32(low)) / np.float32(high - low), 0, 1.5)


def bright(image: Array) -> Array:
    return np.asarray(image[image > image.mean(dtype=np.float64)])


def at_landmarks(image: Array, common: Array, name: str) -> Array:
    """The image with the percentiles of its head at the landmarks, linear between them and beyond."""
    own = np.asarray(np.percentile(bright(image), PERCENTILES), dtype=np.float64)
    if own[-1] <= own[0]:
        raise Fault(f"{name}: the brighter voxels are all {own[0]:g}; a mask given as a scan?")
    widths = np.diff(own)
    slopes = np.divide(np.diff(common), widths, out=np.zeros(len(widths)), where=widths > 1e-5)
    segment = np.searchsorted(own[1:-1], image, side="right")
    return np.asarray(common[segment] + (image - own[segment]) * slopes[segment], dtype=np.float32)


def noise_share(image: Array) -> float:
    """Standard deviation of the noise in the tissue (X, Y, Z), as a share of the median intensity there.

    From the finest diagonal Haar wavelets of the voxels that lie in blocks of 2 x 2 x 2 tissue.
    """
    inside = tissue_of(image)
    level = float(np.median(image[inside])) if inside.any() else 0.0
    detail, whole = (
        image[tuple(slice(0, n - n % 2) for n in image.shape)],
        inside[tuple(slice(0, n - n % 2) for n in image.shape)],
    )
    for axis in range(3):
        detail, whole = np.moveaxis(detail, axis, 0), np.moveaxis(whole, axis, 0)
        detail, whole = (detail[::2] - detail[1::2]) * np.float32(np.sqrt(0.5)), whole[::2] & whole[1::2]
        detail, whole = np.moveaxis(detail, 0, axis), np.moveaxis(whole, 0, axis)
    if not whole.any() or level <= 0:
        return 0.0
    return float(np.median(np.abs(detail[whole]))) / 0.6744897501960817 / level


def smoothed(image: Array, deviations: Sequence[float]) -> Array:
    """The image (X, Y, Z) after a Gaussian filter; its mirror images continue it."""
    for axis, deviation in enumerate(deviations):
        reach = int(4 * deviation + 0.5)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
        wide = np.pad(
            np.moveaxis(image, axis, 0).astype(np.float64), [(reach, reach), (0, 0), (0, 0)], "symmetric"
        )
        n = image.shape[axis]
        total = sum(w * wide[k : k + n] for k, w in enumerate(weights / weights.sum()))
        image = np.moveaxis(np.asarray(total, dtype=np.float32), 0, axis)
    return image


def tissue_of(image: Array) -> Array:
    return np.asarray(image > TISSUE_ABOVE * np.percentile(image, 98))


def grey(image: Array) -> Array:
    """A slice (H, W) or (H, W, 3) as grey uint8."""
    if image.ndim == 3 and image.dtype == np.uint8:
        return np.asarray(
            (image.astype(np.int64) @ np.array([19595, 38470, 7471]) + 0x8000) >> 16, dtype=np.uint8
        )
    if image.ndim == 3:
        image = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    if image.dtype == np.uint8:
        return image
    low, high = (float(v) for v in np.percentile(image, (0.5, 99.5)))
    if low == high:
        return np.zeros(image.shape, dtype=np.uint8)
    return np.asarray(
        np.rint(255 * np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)), dtype=np.uint8
    )


def prepare_slice(image: Array, how: Mapping[str, Any]) -> Array:
    """A slice as a grey square (S, S), uint8: cropped to the head, padded with black, resized."""
    image = grey(image)
    if how["crop"] == "head":
        found, sizes = parts_of(tissue_of(image)[None], faces=True)
        kept = np.flatnonzero(sizes >= 0.1 * sizes.max(initial=0)) + 1
        image = image[box_of(np.isin(found[0], kept))] if len(sizes) else image
    side = max(image.shape)
    before = [(side - n) // 2 for n in image.shape]
    square = np.pad(image, [(b, side - n - b) for b, n in zip(before, image.shape, strict=True)])
    if side == how["size"]:
        return square
    weights = triangles(side, how["size"])
    across = rounded(square.astype(np.float64) @ weights.T)
    return rounded(weights @ across).astype(np.uint8)


def triangles(size: int, wanted: int) -> Array:
    """(wanted, size): a triangle as wide as a wanted pixel, in parts of 2^22, as Pillow's BILINEAR has it."""
    scale = size / wanted
    wide = max(scale, 1.0)
    weights = np.zeros((wanted, size))
    for row in range(wanted):
        centre = (row + 0.5) * scale
        low, high = max(int(centre - wide + 0.5), 0), min(int(centre + wide + 0.5), size)
        weights[row, low:high] = np.maximum(0, 1 - np.abs((np.arange(low, high) - centre + 0.5) / wide))
    return np.floor(weights / weights.sum(axis=1, keepdims=True) * 2**22 + 0.5)


def rounded(sums: Array) -> Array:
    return np.clip(np.floor((sums + 2**21) / 2**22), 0, 255)


def network_input(slices: Array, rule: str) -> Array:
    """float32 (N, 3, S, S) of prepared slices, uint8 (N, S, S)."""
    unit = (slices.astype(np.float32) / np.float32(255))[:, None]
    if rule == "head":
        head = unit > 0.05
        n = np.maximum(head.sum((1, 2, 3), keepdims=True), 1).astype(np.float32)
        mean = (unit * head).sum((1, 2, 3), keepdims=True) / n
        variance = (np.square(unit - mean) * head).sum((1, 2, 3), keepdims=True) / n
        unit = (unit - mean) / np.maximum(np.sqrt(variance), np.float32(1 / 255))
    three = np.repeat(unit, 3, axis=1)
    mean, deviation = (
        np.array(v, dtype=np.float32).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    if rule in ("imagenet", "double_scaled"):
        three = ((three / np.float32(255) if rule == "double_scaled" else three) - mean) / deviation
    elif rule == "caffe":
        three = 255 * three - np.array(CAFFE_MEAN, dtype=np.float32).reshape(3, 1, 1)
    elif rule == "tf":
        three = 2 * three - 1
    return np.ascontiguousarray(three, dtype=np.float32)
