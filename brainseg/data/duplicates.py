"""Copies among grey slices: the same file, the same pixels, or the same picture mirrored, turned, saved anew.

Public sets of slices hold pictures several times over, and a random split then tests on what was trained on.
Perceptual hashes of the slices, mirrored and turned, find candidates. Two candidates are laid on each other,
and they are copies if their detail correlates well even where it does worst. Neighbouring slices of one head
look alike too, but not everywhere: they are no copies.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.data.alignment import (
    Matrix,
    agreement,
    align,
    detail,
    head_frame,
    in_frame,
    moved,
    whole_frame,
)
from brainseg.data.cache import ArrayCache, Arrays
from brainseg.data.groups import linked
from brainseg.data.parallel import in_threads
from brainseg.data.view_hashes import VIEW_MAPS, candidates, coarse_detail, view_hashes
from brainseg.images.jpeg import read_slice

VERSION = 1  # of what is found; raise it when the same files give other copies

FRAMES = (head_frame, whole_frame)
MIDDLE_SIDE = 48  # of the detail that is aligned after the coarse one
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
        correlation: How well their detail correlates once aligned, in all but the worst places.
    """

    first: int
    second: int
    kind: str
    transform: str
    correlation: float


@dataclass(frozen=True)
class _Print:
    """What is kept of a slice to compare it with others.

    Attributes:
        file, pixels: Digests of the file and of its grey values.
        picture: The slice in the frame of its head, (SIDE, SIDE).
        frames: From each frame's places to the slice's, (F, 3, 3).
        hashes: One for each view in each frame, (F, V, 4).
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
    """As `find_copies`; the same files are compared only once."""
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
    return [one for part in in_threads(_print_all, chunks, "hashing slices") for one in part]


def _print_all(paths: Sequence[Path]) -> list[_Print]:
    slices = [read_slice(path) for path in paths]
    frames = np.stack([[frame_of(grey) for frame_of in FRAMES] for grey in slices])
    pictures = np.stack(
        [[in_frame(grey, frame) for frame in both] for grey, both in zip(slices, frames, strict=True)]
    )
    hashes = np.stack([view_hashes(pictures[:, k]) for k in range(len(FRAMES))], axis=1)
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


def _near(prints: list[_Print]) -> list[Copy]:
    """The near copies among slices whose pixels all differ."""
    pictures = np.stack([one.picture for one in prints])
    coarse, middle = coarse_detail(pictures), detail(pictures, fine=1.0, coarse=4.0, side=MIDDLE_SIDE)
    fine = detail(pictures, fine=0.8, coarse=2.5).half()
    pairs = candidates(np.stack([one.hashes for one in prints]))

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
    return [copy for part in in_threads(compare, batches, "comparing slices") for copy in part]


def _start(first: _Print, second: _Print, view: int) -> Matrix:
    """The map from the head's frame in the first slice to that in the second by which a view was alike."""
    frame, number = divmod(view, len(VIEW_MAPS))
    there = second.frames[frame] @ VIEW_MAPS[number] @ np.linalg.inv(first.frames[frame])
    return np.linalg.inv(second.frames[0]) @ there @ first.frames[0]


def _words(first: _Print, second: _Print, there: torch.Tensor) -> str:
    """What makes the second slice out of the first; `there` is the map between the frames of their heads."""
    return in_words(second.frames[0] @ there.numpy() @ np.linalg.inv(first.frames[0]))


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
