"""Copies among grey slices: the same file, the same pixels, or the same picture mirrored, turned, saved anew.

Public sets of slices hold pictures several times over, and a random split then tests on what was trained on.
A perceptual hash of each slice, mirrored and turned, against those of all others finds candidates; whether
they are copies is told by how well their detail correlates once one lies on the other, where it does worst.
Slices next to each other in one head look alike, but not everywhere: they are no copies.
"""

import hashlib
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import combinations, product
from pathlib import Path
from typing import TypeVar

import imagehash
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from brainseg.data.alignment import (
    Matrix,
    agreement,
    align,
    detail,
    disc,
    head_frame,
    in_frame,
    moved,
    turn,
    whole_frame,
)
from brainseg.data.cache import ArrayCache, Arrays
from brainseg.data.groups import linked
from brainseg.images.jpeg import read_slice
from brainseg.system.device import threads

Job = TypeVar("Job")
Result = TypeVar("Result")
VERSION = 1  # of what is found; raise it when the same files give other copies

SMALL_TURNS = (0, 5, 10, 15, -5, -10, -15)  # degrees
SYMMETRIES = list(product((False, True), repeat=3))  # of a square: swap its axes, flip down, flip across
FRAMES = (head_frame, whole_frame)
MOST_BITS = (64, 44)  # of 256 that may differ in a candidate, in each frame
HASH_SIDE = 16
COARSE_SIDE, MIDDLE_SIDE = 32, 48  # of the detail that is hashed and aligned first, and then aligned
# What a candidate must reach to be looked at more closely, and to be a copy: between the copies planted among
# real slices, 0.9 or more, and the slices next to each other there, 0.8 or less.
FIRST_LOOK, SECOND_LOOK, COPY = 0.75, 0.8, 0.82


@dataclass(frozen=True)
class Copy:
    """Two slices that show the same picture.

    Attributes:
        first, second: Their places in the list of files, the lower one first.
        kind: "file", the same bytes; "pixels", the same grey values in another file; or "near".
        transform: What makes the second out of the first, in words.
        correlation: Of their detail, once aligned, in all but the worst places.
    """

    first: int
    second: int
    kind: str
    transform: str
    correlation: float


@dataclass(frozen=True)
class _Print:
    """What is kept of a slice.

    Attributes:
        file, pixels: Digests.
        picture: In the frame of the head, (SIDE, SIDE).
        frames: (F, 3, 3).
        hashes: Of each view in each frame, (F, V, 4).
    """

    file: str
    pixels: str
    picture: NDArray[np.uint8]
    frames: NDArray[np.float32]
    hashes: NDArray[np.uint64]


def find_copies(paths: Sequence[Path]) -> list[Copy]:
    """All pairs of slices that show the same picture, in order.

    Found are mirrored, turned (by quarters, and up to about 15 degrees more), shifted, resized, lightened and
    re-compressed ones, also all at once.

    Raises:
        ImageError: A file cannot be read.
    """
    prints = _prints(paths)
    same: dict[str, list[int]] = defaultdict(list)
    for i, one in enumerate(prints):
        same[one.pixels].append(i)
    groups = list(same.values())
    copies = [_exact(a, b, prints) for group in groups for a, b in combinations(group, 2)]
    for near in _near([prints[group[0]] for group in groups]):
        for a, b in product(groups[near.first], groups[near.second]):
            copies.append(Copy(a, b, near.kind, near.transform, near.correlation))
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


def cached_copies(paths: Sequence[Path], cache: ArrayCache) -> list[Copy]:
    """The same, sought once for the same files."""
    names = [field.name for field in fields(Copy)]

    def make() -> Arrays:
        found = find_copies(paths)
        return {name: np.array([getattr(copy, name) for copy in found]) for name in names}

    arrays = cache.get(cache.key(paths, copies=VERSION), make)
    return [Copy(*values) for values in zip(*(arrays[name].tolist() for name in names), strict=True)]


def clusters(n: int, copies: Sequence[Copy]) -> NDArray[np.int64]:
    """A group number for each of n slices: the same for copies, and for copies of copies."""
    ends = np.array([(copy.first, copy.second) for copy in copies], dtype=np.int64).reshape(-1, 2)
    return linked(n, (ends[:, 0], ends[:, 1]))


def _exact(first: int, second: int, prints: list[_Print]) -> Copy:
    kind = "file" if prints[first].file == prints[second].file else "pixels"
    return Copy(first, second, kind, "the same", 1.0)


def _prints(paths: Sequence[Path]) -> list[_Print]:
    chunks = [paths[start : start + 64] for start in range(0, len(paths), 64)]
    return [one for part in _in_threads(_print_all, chunks, "hashing slices") for one in part]


def _in_threads(work: Callable[[Job], Result], jobs: Sequence[Job], about: str) -> Iterator[Result]:
    """Results in order; numpy, torch and PIL leave Python's lock while they compute."""
    with ThreadPoolExecutor(threads()) as pool:
        hidden = not sys.stdout.isatty()
        yield from track(pool.map(work, jobs), about, len(jobs), transient=True, disable=hidden)


def _print_all(paths: Sequence[Path]) -> list[_Print]:
    slices = [read_slice(path) for path in paths]
    frames = np.stack([[frame_of(grey) for frame_of in FRAMES] for grey in slices])
    pictures = np.stack(
        [[in_frame(grey, frame) for frame in both] for grey, both in zip(slices, frames, strict=True)]
    )
    hashes = np.stack([_hashes(pictures[:, k]) for k in range(len(FRAMES))], axis=1)
    return [
        _Print(
            file=hashlib.sha256(path.read_bytes()).hexdigest(),
            pixels=hashlib.sha256(repr(grey.shape).encode() + grey.tobytes()).hexdigest(),
            picture=pictures[i, 0],
            frames=frames[i],
            hashes=hashes[i],
        )
        for i, (path, grey) in enumerate(zip(paths, slices, strict=True))
    ]


def _hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Of each view of each picture, (N, V, 4)."""
    coarse = _coarse(pictures) * disc(COARSE_SIDE)
    views: list[NDArray[np.bool_]] = []
    for degrees in SMALL_TURNS:
        grey = (_turned(coarse, degrees) * 50 + 128).clamp(0, 255).to(torch.uint8).numpy()
        hashes = [imagehash.phash(Image.fromarray(one), HASH_SIDE, highfreq_factor=2) for one in grey]
        bits = np.stack([one.hash for one in hashes])
        views += [_flipped_hash(bits, *symmetry) for symmetry in SYMMETRIES]
    packed = np.packbits(np.stack(views, axis=1).reshape(len(pictures), len(views), -1), axis=-1)
    return packed.view(np.uint64)


def _coarse(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """The detail that is hashed and aligned first."""
    return detail(pictures, fine=2.0, coarse=8.0, side=COARSE_SIDE)


def _flipped_hash(bits: NDArray[np.bool_], swap: bool, down: bool, across: bool) -> NDArray[np.bool_]:
    """The hashes (N, 16, 16) of pictures that are flipped.

    A flip changes the sign of every other row or column of a cosine transform, so every other row or column
    of bits: the median, above which a bit is set, is about 0.
    """
    bits = bits.swapaxes(1, 2) if swap else bits
    odd = np.arange(HASH_SIDE) % 2 == 1
    return bits ^ (odd[:, None] & down) ^ (odd & across)


def _turned(images: torch.Tensor, degrees: float) -> torch.Tensor:
    return moved(images, torch.from_numpy(turn(degrees)).expand(len(images), 3, 3))


def _view_maps() -> NDArray[np.float32]:
    """Of each view, in the order of their hashes, from its places to the picture's, (V, 3, 3)."""
    maps = []
    for degrees, (swap, down, across) in product(SMALL_TURNS, SYMMETRIES):
        flip = np.diag([-1.0 if across else 1.0, -1.0 if down else 1.0, 1.0])
        maps.append(turn(degrees) @ (flip[[1, 0, 2]] if swap else flip))
    return np.stack(maps).astype(np.float32)


VIEW_MAPS = _view_maps()


def _near(prints: list[_Print]) -> list[Copy]:
    """The near copies among slices whose pixels all differ."""
    pictures = np.stack([one.picture for one in prints])
    coarse, middle = _coarse(pictures), detail(pictures, fine=1.0, coarse=4.0, side=MIDDLE_SIDE)
    fine = detail(pictures, fine=0.8, coarse=2.5).half()
    pairs = _candidates(np.stack([one.hashes for one in prints]))

    def compare(batch: list[tuple[int, int, int]]) -> list[Copy]:
        maps = torch.from_numpy(np.stack([_start(prints[a], prints[b], view) for a, b, view in batch]))
        a, b, _ = torch.tensor(batch).T
        for level, steps, least in ((coarse, 6, FIRST_LOOK), (middle, 5, SECOND_LOOK)):
            found, maps = align(level[a], level[b], maps, steps)
            a, b, maps = a[found >= least], b[found >= least], maps[found >= least]
            if not len(a):
                return []
        found = agreement(fine[a].float(), moved(fine[b].float(), maps))
        return [
            Copy(one, other, "near", _words(prints[one], prints[other], there), round(how_well, 4))
            for one, other, there, how_well in zip(a.tolist(), b.tolist(), maps, found.tolist(), strict=True)
            if how_well >= COPY
        ]

    batches = [pairs[start : start + 128] for start in range(0, len(pairs), 128)]
    return [copy for part in _in_threads(compare, batches, "comparing slices") for copy in part]


def _start(first: _Print, second: _Print, view: int) -> Matrix:
    """The map from the head's frame in the first slice to that in the second by which a view was alike."""
    frame, number = divmod(view, len(VIEW_MAPS))
    there = second.frames[frame] @ VIEW_MAPS[number] @ np.linalg.inv(first.frames[frame])
    return np.linalg.inv(second.frames[0]) @ there @ first.frames[0]


def _words(first: _Print, second: _Print, there: torch.Tensor) -> str:
    """What makes the second slice out of the first; `there` is the map between the frames of their heads."""
    return in_words(second.frames[0] @ there.numpy() @ np.linalg.inv(first.frames[0]))


def _candidates(hashes: NDArray[np.uint64]) -> list[tuple[int, int, int]]:
    """Pairs of places, the lower one first, and the view of the second that is most like the first."""

    def compare(view: int) -> NDArray[np.int64]:
        frame, number = divmod(view, len(VIEW_MAPS))
        first, second, bits = _close(hashes[:, frame, 0], hashes[:, frame, number], MOST_BITS[frame])
        return np.stack([first, second, bits, np.full_like(first, view)])

    views = range(len(FRAMES) * len(VIEW_MAPS))
    found = np.concatenate(list(_in_threads(compare, views, "comparing hashes")), axis=1)
    best: dict[tuple[int, int], int] = {}
    for first, second, _, view in found[:, np.lexsort(found[[3, 2, 1, 0]])].T.tolist():
        best.setdefault((first, second), view)
    return [(*pair, view) for pair, view in best.items()]


def _close(hashes: NDArray[np.uint64], views: NDArray[np.uint64], most: int) -> list[NDArray[np.int64]]:
    """Places of hashes and, behind them, of views, and in how many bits they differ, at most `most`."""
    parts = []
    for start in range(0, len(hashes), 256):
        block, later = hashes[start : start + 256], views[start:]
        bits = np.zeros((len(block), len(later)), np.uint16)
        for word in range(hashes.shape[1]):
            bits += np.bitwise_count(block[:, word, None] ^ later[None, :, word])
        first, second = np.nonzero(bits <= most)
        behind = second > first
        first, second = first[behind], second[behind]
        parts.append((first + start, second + start, bits[first, second].astype(np.int64)))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def in_words(linear: Matrix) -> str:
    """What an affine map of a slice's places does to it: mirrored, rotated, scaled, by how much."""
    mirrored = np.linalg.det(linear[:2, :2]) < 0
    rest = linear[:2, :2] @ np.diag([-1, 1]) if mirrored else linear[:2, :2]
    degrees = round(math.degrees(math.atan2(rest[1, 0] - rest[0, 1], rest[0, 0] + rest[1, 1])))
    percent = round(100 * math.sqrt(abs(float(np.linalg.det(rest)))))
    words = []
    if mirrored and abs(degrees) == 180:
        words.append("mirrored top to bottom")
    else:
        words += ["mirrored"] if mirrored else []
        if degrees:
            way = "clockwise" if degrees > 0 else "anticlockwise"
            words.append(f"rotated by {abs(degrees)} degrees {way}")
    if abs(percent - 100) > 2:
        words.append(f"scaled to {percent} %")
    return ", ".join(words) or "saved anew"
