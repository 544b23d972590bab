from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture
def cube() -> Callable[..., np.ndarray]:
    def make(side: int, shifted: int = 0) -> np.ndarray:
        mask = np.zeros((20, 18, 16), dtype=bool)
        mask[3 + shifted : 3 + shifted + side, 3 : 3 + side, 3 : 3 + side] = True
        return mask

    return make


@pytest.fixture
def blobs() -> Callable[[int], np.ndarray]:
    def make(seed: int) -> np.ndarray:
        from scipy import ndimage

        noise = np.random.default_rng(seed).normal(size=(24, 20, 18))
        return ndimage.gaussian_filter(noise, 2) > 0.05

    return make
