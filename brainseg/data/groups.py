"""Slices that belong together: copies of each other, and slices of one subject."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def linked(n: int, ends: tuple[NDArray[np.integer], NDArray[np.integer]]) -> NDArray[np.int64]:
    """A group number (N,) for each of n places: the same for places that are linked, also through others.

    Args:
        n: How many places there are.
        ends: The two places of each link.
    """
    links = coo_array((np.ones(len(ends[0])), ends), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def joined_subjects(subjects: Sequence[str], groups: NDArray[np.int64]) -> list[str]:
    """A subject for each slice: the same for slices of one subject, and for slices of one group.

    Subjects that are joined get the name that comes first; without groups every slice keeps its own.
    """
    names, places = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
    n = len(names) + int(groups.max(initial=-1)) + 1
    number = linked(n, (places, len(names) + groups))  # each slice links its subject with its group
    first: dict[int, str] = {}
    for place, name in enumerate(names):
        first.setdefault(int(number[place]), str(name))
    return [first[int(number[place])] for place in places]
