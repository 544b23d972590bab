"""Random masks made of whole numbers only, so that they are the same on every machine."""

import numpy as np

SHAPES = ((22, 20, 18), (30, 18, 14), (16, 26, 20))
SPACINGS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.5, 2.0))


def random_pair(number: int) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Truth, guess (X, Y, Z) and spacing: some balls each, most of the guess's near those of the truth."""
    rng = np.random.default_rng(number)
    shape, spacing = SHAPES[number % 3], SPACINGS[number % 3]
    truth, guess = np.zeros(shape, bool), np.zeros(shape, bool)
    for _ in range(int(rng.integers(0, 5))):
        middle, squared = rng.integers(0, shape), int(rng.integers(0, 30))
        truth |= _ball(shape, middle, squared)
        if rng.integers(0, 5):  # else it is missed
            guess |= _ball(
                shape, middle + rng.integers(-3, 4, 3), max(squared + int(rng.integers(-9, 10)), 0)
            )
    for _ in range(int(rng.integers(0, 3))):  # made up
        guess |= _ball(shape, rng.integers(0, shape), int(rng.integers(0, 9)))
    return truth, guess, spacing


def _ball(shape, middle, squared):
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum((axis - m) ** 2 for axis, m in zip(axes, middle, strict=True)) <= squared
