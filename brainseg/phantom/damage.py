"""Typical damage to scans, done on purpose to a copy of a phantom, to show which the gates notice.

Each kind changes the NIfTI files of one subject's folder in place. They were made for whole heads in RAS
with the sequences t1, t1ce, t2 and flair.
"""

# mypy: allow-untyped-calls, disable-error-code="no-any-return"
# (nibabel is partly untyped)

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.config import SEQUENCES
from brainseg.images.layouts import find_subjects
from brainseg.images.tissue import tissue_of

Array = NDArray[Any]
Files = dict[str, Path]
Random = np.random.Generator
Change = Callable[[Array, Random], Array]


def damage(folder: Path, kind: str, seed: int = 0) -> None:
    """Spoil a subject's scans.

    Args:
        folder: The folder of one subject; its files are changed.
        kind: One of `DAMAGES`.
        seed: Decides everything that is drawn.
    """
    (subject,) = find_subjects(folder)
    files = {name: source.path for name, source in subject.images.items()}
    DAMAGES[kind](files, np.random.default_rng(seed))


def _all(change: Change, only: Sequence[str] = SEQUENCES) -> Callable[[Files, Random], None]:
    """The same change in each of these sequences, drawn once."""

    def spoil(files: Files, rng: Random) -> None:
        seed = int(rng.integers(2**31))
        for name in only:
            if name in files:
                image = _loaded(files[name])
                _save(files[name], change(_data(image), np.random.default_rng(seed)), image)

    return spoil


def _loaded(path: Path) -> Any:
    return nib.load(path)


def _data(image: Any) -> Array:
    return np.asarray(image.dataobj, dtype=np.float32)


def _save(path: Path, data: Array, like: Any, spacing: Sequence[float] | None = None) -> None:
    """Values as the file had them, where they fit; the affine stays that of the first voxel."""
    affine = like.affine.copy()
    if spacing is not None:
        affine[:3, :3] *= np.array(spacing) / np.linalg.norm(affine[:3, :3], axis=0)
    header = like.header.copy()
    lowest, highest = float(np.nanmin(data)), float(np.nanmax(data))
    known = np.iinfo(header.get_data_dtype()) if header.get_data_dtype().kind in "iu" else None
    whole = known is not None and known.min <= lowest and highest <= known.max and np.isfinite(data).all()
    dtype = header.get_data_dtype() if whole else np.dtype(np.float32)
    made = nib.Nifti1Image(data.astype(dtype), affine, header, dtype=dtype)
    made.header.set_slope_inter(1, 0)
    made.to_filename(path)


def _extent(data: Array, axis: int) -> tuple[int, int]:
    """First and last layer with at least a twentieth of it head."""
    share = tissue_of(data).mean(axis=tuple(a for a in range(3) if a != axis))
    used = np.flatnonzero(share > 0.05)
    return int(used[0]), int(used[-1])


def _cut(axis: int, share: float) -> Change:
    """The field of view ends within the brain; a share above 0 loses the right, front or upper part."""

    def change(data: Array, _: Random) -> Array:
        first, last = _extent(data, axis)
        # A head of 240 mm or so from the neck up: the brain is in its upper part.
        at = round(last - share * 160 / 240 * (last - first)) if share > 0 else None
        below = round(first + -share * (last - first)) if share < 0 else None
        index = [slice(None)] * 3
        index[axis] = slice(below, at)
        return data[tuple(index)]

    return change


def _reversed(axis: int) -> Change:
    return lambda data, _: np.flip(data, axis)


def _exchanged(one: str, other: str) -> Callable[[Files, Random], None]:
    def spoil(files: Files, _: Random) -> None:
        first, second = files[one].read_bytes(), files[other].read_bytes()
        files[one].write_bytes(second)
        files[other].write_bytes(first)

    return spoil


def _noisy(data: Array, rng: Random) -> Array:
    deviation = 0.3 * np.median(data[tissue_of(data)])
    real, imaginary = rng.normal(0, deviation, (2, *data.shape))
    return np.hypot(data + real, imaginary)


def _moved_while_scanned(data: Array, rng: Random) -> Array:
    """A third of k-space, but its middle, from a head that was turned and shifted."""
    mixed = np.fft.fftn(data)
    lines = np.fft.fftfreq(data.shape[1])
    for low, high in ((0.06, 0.16), (0.25, 0.4)):
        turned = ndimage.rotate(data, rng.uniform(8, 14), axes=(0, 1), reshape=False, order=1)
        moved = np.fft.fftn(ndimage.shift(turned, rng.uniform(3, 6, 3), order=1))
        where = (np.abs(lines) > low) & (np.abs(lines) < high)
        mixed[:, where] = moved[:, where]
    return np.abs(np.fft.ifftn(mixed))


def _ghosts(data: Array, _: Random) -> Array:
    """Every second line of k-space weaker: a copy half a field of view away."""
    spectrum = np.fft.fft(data, axis=1)
    spectrum[:, ::2] *= 0.45
    return np.abs(np.fft.ifft(spectrum, axis=1))


def _folded(data: Array, _: Random) -> Array:
    """What lies beyond three fifths of the field of view along A is seen at its other side."""
    first, last = _extent(data, 1)
    keep = first + round(0.6 * (last - first))
    folded = data[:, :keep].copy()
    beyond = data[:, keep:][:, :keep]
    folded[:, : beyond.shape[1]] += beyond
    return folded


def _spike(data: Array, rng: Random) -> Array:
    """One wrong value in k-space: stripes through everything."""
    spectrum = np.fft.fftn(data)
    place = tuple(int(rng.integers(n // 10, n // 4)) for n in data.shape)
    spectrum[place] += 0.35 * np.abs(spectrum[0, 0, 0])
    return np.abs(np.fft.ifftn(spectrum))


def _hounsfield(data: Array, _: Random) -> Array:
    """Air at -1000, tissue around 40, the brightest 1200."""
    share = data / np.percentile(data, 99.9)
    return np.interp(share, [0, 0.08, 0.2, 0.6, 1.0], [-1000, -1000, 20, 60, 1200]).astype(np.float32)


def _half_the_slices(data: Array, _: Random) -> Array:
    return data[:, :, ::2]


def _empty_slices(data: Array, rng: Random) -> Array:
    first, last = _extent(data, 2)
    gone = rng.choice(np.arange(first + 5, last - 5), max(2, (last - first) // 12), replace=False)
    data = data.copy()
    data[:, :, gone] = 0
    return data


def _shuffled(data: Array, rng: Random) -> Array:
    return data[:, :, rng.permutation(data.shape[2])]


def _odd_first(data: Array, _: Random) -> Array:
    """Slices as they were acquired, interleaved, and not as they lie."""
    order = [*range(0, data.shape[2], 2), *range(1, data.shape[2], 2)]
    return data[:, :, order]


def _negative(data: Array, _: Random) -> Array:
    return np.percentile(data, 99.9) - np.minimum(data, np.percentile(data, 99.9))


def _saturated(data: Array, _: Random) -> Array:
    return np.minimum(data, np.median(data[tissue_of(data)]))


def _eight_levels(data: Array, _: Random) -> Array:
    top = np.percentile(data, 99.5)
    return np.floor(np.minimum(data, top) / top * 7)


def _overflown(data: Array, _: Random) -> Array:
    """Values above 127 come back from below, as in a signed byte."""
    scaled = data / np.percentile(data, 99) * 220
    return (scaled.astype(np.int64) + 128) % 256 - 128


def _blurred(data: Array, _: Random) -> Array:
    return ndimage.gaussian_filter(data, 5.0)


def _bias(data: Array, _: Random) -> Array:
    ramp = np.linspace(-1.6, 1.6, data.shape[1])[None, :, None]
    return data * np.exp(ramp)


def _shifted(data: Array, _: Random) -> Array:
    return np.roll(data, (9, 6, 0), axis=(0, 1, 2))


def _half_black(data: Array, _: Random) -> Array:
    data = data.copy()
    data[data.shape[0] // 2 :] = 0
    return data


def _bottle(data: Array, rng: Random) -> Array:
    """What a scanner is tested with: water in a sphere."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in data.shape), indexing="ij", sparse=True)
    inside = sum(a**2 for a in axes) < 0.5
    return np.abs(
        inside * np.percentile(data, 90) + rng.normal(0, 0.01 * np.percentile(data, 90), data.shape)
    )


def _eroded(files: Files, _: Random) -> None:
    """Stripped twice: the brain alone, without its outer 10 mm."""
    brain = None
    for path in files.values():
        image = _loaded(path)
        if brain is None:
            brain = _rough_brain(_data(image), image.header.get_zooms()[:3])
        _save(path, np.where(brain, _data(image), 0), image)


def _rough_brain(data: Array, spacing: Sequence[float]) -> NDArray[np.bool_]:
    """Deep within the upper part of the head."""
    head = ndimage.binary_fill_holes(ndimage.binary_closing(tissue_of(data), iterations=3))
    deep = ndimage.distance_transform_edt(head, sampling=spacing) > 32
    labels, _ = ndimage.label(deep)
    largest = labels == np.bincount(labels[labels > 0]).argmax() if labels.any() else deep
    first, last = _extent(data, 2)
    largest[:, :, : first + (last - first) // 2] = False
    return np.asarray(largest)


def _spacing(*factors: float) -> Callable[[Files, Random], None]:
    def spoil(files: Files, _: Random) -> None:
        for path in files.values():
            image = _loaded(path)
            zooms = np.linalg.norm(image.affine[:3, :3], axis=0)
            _save(path, _data(image), image, spacing=zooms * factors)

    return spoil


def _four_dimensional(files: Files, _: Random) -> None:
    path = next(iter(files.values()))
    image = _loaded(path)
    data = np.stack([_data(image)] * 3, axis=-1)
    nib.Nifti1Image(data, image.affine).to_filename(path)


def _not_a_number(data: Array, rng: Random) -> Array:
    data = data.astype(np.float32)
    data.flat[rng.choice(data.size, 50, replace=False)] = np.nan
    return data


def _truncated(files: Files, _: Random) -> None:
    path = next(iter(files.values()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _copied(one: str, other: str) -> Callable[[Files, Random], None]:
    def spoil(files: Files, _: Random) -> None:
        files[other].write_bytes(files[one].read_bytes())

    return spoil


DAMAGES: dict[str, Callable[[Files, Random], None]] = {
    "crown cut off": _all(_cut(2, 0.25)),
    "brain cut off below": _all(_cut(2, -0.55)),
    "one side cut off": _all(_cut(0, 0.35)),
    "front cut off": _all(_cut(1, 0.5)),
    "upside down": _all(_reversed(2)),
    "back to front": _all(_reversed(1)),
    "axes exchanged": _all(lambda data, _: data.transpose(0, 2, 1)),
    "t1 and t2 exchanged": _exchanged("t1", "t2"),
    "t1 and flair exchanged": _exchanged("t1", "flair"),
    "t2 and flair exchanged": _exchanged("t2", "flair"),
    "heavy noise": _all(_noisy),
    "motion": _all(_moved_while_scanned),
    "ghosts": _all(_ghosts),
    "folded over": _all(_folded),
    "spike": _all(_spike),
    "values of a CT": _all(_hounsfield),
    "four-dimensional": _four_dimensional,
    "NaN": _all(_not_a_number, ("t1",)),
    "stripped twice": _eroded,
    "slices twice as thick": _spacing(1, 1, 2),
    "voxels too large": _spacing(1.4, 1.4, 1.4),
    "voxels too small": _spacing(0.6, 0.6, 0.6),
    "half the slices lost": _all(_half_the_slices),
    "empty slices": _all(_empty_slices),
    "slices shuffled": _all(_shuffled),
    "slices as acquired": _all(_odd_first),
    "black for white": _all(_negative),
    "saturated": _all(_saturated),
    "eight grey levels": _all(_eight_levels),
    "overflown": _all(_overflown),
    "blurred": _all(_blurred),
    "strong bias": _all(_bias),
    "one sequence moved": _all(_shifted, ("flair",)),
    "one scan twice": _copied("t1", "t2"),
    "cut off file": _truncated,
    "half black": _all(_half_black),
    "a bottle": _all(_bottle),
}
