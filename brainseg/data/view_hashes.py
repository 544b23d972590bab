"""Perceptual hashes of slices, mirrored and turned, and the pairs of slices whose hashes are alike."""

from itertools import product

import imagehash
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from brainseg.data.alignment import detail, disc, moved, turn
from brainseg.data.parallel import in_threads

SMALL_TURNS = (0, 5, 10, 15, -5, -10, -15)  # degrees
SYMMETRIES = list(product((False, True), repeat=3))  # of a square: swap its axes, flip down, flip across
MOST_BITS = (64, 44)  # of 256 that may differ in a candidate, in each frame
HASH_SIDE = 16
COARSE_SIDE = 32  # of the detail that is hashed


def coarse_detail(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """The detail (N, COARSE_SIDE, COARSE_SIDE) that is hashed, and aligned first."""
    return detail(pictures, fine=2.0, coarse=8.0, side=COARSE_SIDE)


def view_hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The hash of each view of each picture, (N, V, 4): a view is a small turn and one of the symmetries."""
    coarse = coarse_detail(pictures) * disc(COARSE_SIDE)
    views: list[NDArray[np.bool_]] = []
    for degrees in SMALL_TURNS:
        grey = (_turned(coarse, degrees) * 50 + 128).clamp(0, 255).to(torch.uint8).numpy()
        hashes = [imagehash.phash(Image.fromarray(one), HASH_SIDE, highfreq_factor=2) for one in grey]
        bits = np.stack([one.hash for one in hashes])
        views += [_flipped_hash(bits, *symmetry) for symmetry in SYMMETRIES]
    packed = np.packbits(np.stack(views, axis=1).reshape(len(pictures), len(views), -1), axis=-1)
    return packed.view(np.uint64)


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
    """The map from each view's places to the picture's, in the order of the hashes, (V, 3, 3)."""
    maps = []
    for degrees, (swap, down, across) in product(SMALL_TURNS, SYMMETRIES):
        flip = np.diag([-1.0 if across else 1.0, -1.0 if down else 1.0, 1.0])
        maps.append(turn(degrees) @ (flip[[1, 0, 2]] if swap else flip))
    return np.stack(maps).astype(np.float32)


VIEW_MAPS = _view_maps()


def candidates(hashes: NDArray[np.uint64]) -> list[tuple[int, int, int]]:
    """Pairs of slices whose hashes are alike: their places, the lower one first, and the view of the second.

    Args:
        hashes: One for each view in each frame, (N, F, V, 4).

    Returns:
        The view that is most like the first slice, as frame * V + view.
    """

    def compare(view: int) -> NDArray[np.int64]:
        frame, number = divmod(view, len(VIEW_MAPS))
        first, second, bits = _close(hashes[:, frame, 0], hashes[:, frame, number], MOST_BITS[frame])
        return np.stack([first, second, bits, np.full_like(first, view)])

    views = range(hashes.shape[1] * len(VIEW_MAPS))
    found = np.concatenate(list(in_threads(compare, views, "comparing hashes")), axis=1)
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
