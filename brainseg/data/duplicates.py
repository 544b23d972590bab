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
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any, TypeVar

import imagehash
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    unit,
)
from brainseg.data.cache import ArrayCache, Arrays
from brainseg.device import threads
from brainseg.images.jpeg import read_slice

Job = TypeVar("Job")
Result = TypeVar("Result")
VERSION = 1  # of what is found; raise it when the same files give other copies

SMALL_TURNS = (0, 5, 10, 15, -5, -10, -15)  # degrees
SYMMETRIES = list(
    product((False, True), repeat=3)
)  # of a square: swap its axes, flip it down, flip it across
COARSE_SIDE = 32
HASH_SIDE = 16  # 256 bits
MOST_BITS = 70  # that may differ in a candidate
# What a candidate must reach to be looked at more closely, and to be a copy. Chosen on the Kaggle set and on
# copies planted in it: docs/experiments.md.
LIKE, ALIGNED, FITTING, COPY = 0.5, 0.75, 0.8, 0.82
PAIRS = 128  # aligned at once


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
    """What is kept of a slice: digests, its picture (SIDE, SIDE), frame and a hash of each view (V, 4)."""

    file: str
    pixels: str
    picture: NDArray[np.uint8]
    frame: Matrix
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
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


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
    frames = [head_frame(grey) for grey in slices]
    pictures = np.stack([in_frame(grey, frame) for grey, frame in zip(slices, frames, strict=True)])
    hashes = _hashes(pictures)
    return [
        _Print(
            file=hashlib.sha256(path.read_bytes()).hexdigest(),
            pixels=hashlib.sha256(repr(grey.shape).encode() + grey.tobytes()).hexdigest(),
            picture=pictures[i],
            frame=frames[i],
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
    there = torch.from_numpy(turn(degrees))
    return torch.cat([moved(part, there.expand(len(part), 3, 3)) for part in images.split(512)])


def _flipped(images: torch.Tensor, swap: bool, down: bool, across: bool) -> torch.Tensor:
    images = images.transpose(1, 2) if swap else images
    return images.flip([axis for axis, flip in ((1, down), (2, across)) if flip])


def _view_maps() -> torch.Tensor:
    """Of each view, from its places to the picture's, (V, 3, 3)."""
    maps = []
    for degrees, (swap, down, across) in product(SMALL_TURNS, SYMMETRIES):
        flip = np.diag([-1.0 if across else 1.0, -1.0 if down else 1.0, 1.0])
        maps.append(turn(degrees) @ (flip[[1, 0, 2]] if swap else flip))
    return torch.from_numpy(np.stack(maps)).float()


def _near(prints: list[_Print]) -> list[Copy]:
    """The near copies among slices whose pixels all differ."""
    pictures = np.stack([one.picture for one in prints])
    coarse = _coarse(pictures)
    first, second, view = _candidates(np.stack([one.hashes for one in prints]), coarse)
    shapes = detail(pictures, fine=0.8, coarse=4.0).half()
    lines = detail(pictures, fine=0.8, coarse=2.5).half()
    starts = _view_maps()

    def compare(batch: slice) -> list[Copy]:
        a, b, maps = torch.from_numpy(first[batch]), torch.from_numpy(second[batch]), starts[view[batch]]
        for level, steps, least in ((coarse, 6, ALIGNED), (shapes, 3, FITTING)):
            found, maps = align(level[a].float(), level[b].float(), maps, steps)
            a, b, maps = a[found >= least], b[found >= least], maps[found >= least]
            if not len(a):
                return []
        found = agreement(lines[a].float(), moved(lines[b].float(), maps))
        return [
            Copy(one, other, "near", _between(prints[one], prints[other], there), round(how_well, 4))
            for one, other, there, how_well in zip(a.tolist(), b.tolist(), maps, found.tolist(), strict=True)
            if how_well >= COPY
        ]

    batches = [slice(start, start + PAIRS) for start in range(0, len(first), PAIRS)]
    return [copy for part in _in_threads(compare, batches, "comparing slices") for copy in part]


def _between(first: _Print, second: _Print, there: torch.Tensor) -> str:
    """The transform from one slice to the other, in words; `there` is the map between their frames."""
    return in_words(second.frame @ there.numpy() @ np.linalg.inv(first.frame))


def _candidates(
    hashes: NDArray[np.uint64], coarse: torch.Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs, the lower place first, and the view of the second that is most like the first."""
    weight = disc(COARSE_SIDE)
    plain = unit(coarse, weight)

    def compare(turn_number: int) -> list[tuple[NDArray[Any], ...]]:
        turned = _turned(plain.view_as(coarse), SMALL_TURNS[turn_number])
        turned = unit(turned, weight).view_as(coarse)
        found: list[tuple[NDArray[Any], ...]] = []
        for k, symmetry in enumerate(SYMMETRIES):
            number = turn_number * len(SYMMETRIES) + k
            view = _flipped(turned, *symmetry).flatten(1)
            for first, second in _close(hashes[:, 0], hashes[:, number]):
                like = torch.einsum("np,np->n", plain[first], view[second]).numpy()
                kept = like >= LIKE
                found.append((first[kept], second[kept], np.full(kept.sum(), number), like[kept]))
        return found

    parts = _in_threads(compare, range(len(SMALL_TURNS)), "comparing hashes")
    first, second, number, like = (np.concatenate(column) for column in zip(*chain(*parts), strict=True))
    order = np.lexsort((number, -like, second, first))
    first, second, number = first[order], second[order], number[order]
    new = np.ones(len(first), dtype=bool)
    new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return first[new], second[new], number[new]


def _close(
    hashes: NDArray[np.uint64], views: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places of hashes and, behind them, of views that differ in MOST_BITS at most; in blocks."""
    for start in range(0, len(hashes), 256):
        block = hashes[start : start + 256]
        bits = np.zeros((len(block), len(views) - start), np.uint16)
        for word in range(hashes.shape[1]):
            bits += np.bitwise_count(block[:, word, None] ^ views[None, start:, word])
        first, second = np.nonzero(bits <= MOST_BITS)
        behind = second > first
        yield first[behind] + start, second[behind] + start


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
