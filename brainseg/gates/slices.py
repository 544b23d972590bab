"""Measures of the slices of a scan (X, Y, Z), along all three axes: lost ones, their order, sudden changes.

Only slices that show the head count. What a converter or a scanner has filled with one value outside of the
head, and the specks in it, are no slices that could be lost.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.images.tissue import TISSUE_ABOVE

SAMPLED = 96  # voxels of a slice along each of its sides, at most twice as many
LEAST_SHARE = 0.02  # of the tissue of the slice with most of it: a slice with less lies outside of the head

Rows = NDArray[np.float32]


def head_slices(image: NDArray[Any]) -> list[Rows]:
    """For each axis the slices across it that show the head, a row of some of its voxels each.

    Slices without any tissue between them are among the rows.
    """
    return [_of_head(rows) for rows in _sampled(image)]


def lost_slices(slices: list[Rows]) -> int:
    """Slices of a head that hold one value only, or what their neighbour holds, along the worst axis."""
    lost = 0
    for rows in slices:
        filled = rows.min(axis=1) < rows.max(axis=1)
        repeated = (rows[1:, 0] == rows[:-1, 0]) & filled[1:]
        for n in np.flatnonzero(repeated):
            repeated[n] = np.array_equal(rows[n + 1], rows[n])
        lost = max(lost, int((~filled).sum()) + int(repeated.sum()))
    return lost


def slice_order(slices: list[Rows]) -> float:
    """How much more a slice is like its neighbour than like the next but one, along the worst axis.

    Below 0 slices lie in a wrong order. The measure is the mean correlation at one step less that at two.
    """
    worst = 1.0
    for rows in slices:
        means = rows.mean(axis=1)
        rows = rows - means[:, None]
        spread = np.sqrt([np.dot(row, row) / row.size for row in rows])
        used = np.flatnonzero(spread > 0.1 * np.sqrt((spread**2).mean() + means.var()))
        if len(used) < 6:
            continue
        one, two = (
            np.mean(
                [
                    np.dot(rows[a], rows[b]) / (spread[a] * spread[b])
                    for a, b in zip(used, used[k:], strict=False)
                ]
            )
            for k in (1, 2)
        )
        worst = min(worst, float(one - two) / rows.shape[1])
    return worst


def slice_jump(slices: list[Rows]) -> float:
    """The largest change from a slice to the next as a multiple of the usual one, along the worst axis.

    The first and the last step are left out: the outer slices of a two-dimensional acquisition are brighter
    or darker than the others, by blood that flows in and by what excites one slice only from one side.
    """
    worst = 0.0
    for rows in slices:
        if len(rows) < 4:
            continue
        changes = np.array([np.abs(after - before).mean() for before, after in pairwise(rows)])
        inner = changes[1:-1]
        if inner.max() > 0:
            usual = np.median(changes[changes > 0.05 * changes.max()])
            worst = max(worst, float(inner.max() / usual))
    return worst


def _sampled(image: NDArray[Any]) -> Iterator[Rows]:
    for axis, n in enumerate(image.shape):
        every = [1 if other == axis else max(1, side // SAMPLED) for other, side in enumerate(image.shape)]
        some = image[tuple(slice(None, None, k) for k in every)]
        yield np.ascontiguousarray(np.moveaxis(some, axis, 0), dtype=np.float32).reshape(n, -1)


def _of_head(rows: Rows) -> Rows:
    least = TISSUE_ABOVE * np.percentile(rows[:: max(1, len(rows) // 64)], 98)
    tissue = np.array([np.count_nonzero(row > least) for row in rows])
    used = np.flatnonzero(tissue > LEAST_SHARE * tissue.max())
    return rows[used[0] : used[-1] + 1] if used.size else rows
