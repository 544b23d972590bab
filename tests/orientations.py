"""The 48 ways in which the axes of a file may be stored."""

from itertools import permutations, product

ORIENTATIONS = [
    "".join(pair[flip] for pair, flip in zip(order, flips, strict=True))
    for order in permutations(("RL", "AP", "SI"))
    for flips in product((0, 1), repeat=3)
]
