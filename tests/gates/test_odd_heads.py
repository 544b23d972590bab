"""Heads that are as good as any and look odd: no gate says a word about them."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.gates.judge import judge_brain, judge_contrast, judge_scans
from brainseg.images.volume import Grid, Volume
from brainseg.phantom import make_subject

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
MM = 2.0


@pytest.fixture(scope="module")
def head() -> tuple[Array, Mask]:
    """A T1 of a whole head in RAS, and the brain in it."""
    subject = make_subject(91001, tumor_type="notumor", spacing_mm=MM, sequences=["t1"])
    return subject.images["t1"].astype(np.float32), subject.brain > 0


def laid(image: Array, turn: Array, step_mm: float, side: int) -> Array:
    """An image about its middle on cubes, turned."""
    matrix = turn * step_mm / MM
    offset = (np.array(image.shape) - 1) / 2 - matrix @ np.full(3, (side - 1) / 2)
    return ndimage.affine_transform(image, matrix, offset, output_shape=(side,) * 3, order=1)


def about(axis: int, degrees: float) -> Array:
    angle, (a, b) = np.deg2rad(degrees), [n for n in range(3) if n != axis]
    turn = np.eye(3)
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    return turn


def conformed(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
    """256 cubes of 1 mm, bytes, zeros around, as FreeSurfer writes it (LIA)."""
    both = [laid(one.astype(np.float32), np.eye(3), 1.0, 256) for one in (image, brain)]
    grey = np.round(np.clip(both[0] / np.percentile(both[0], 99.9) * 255, 0, 255))
    lia = [one[::-1].transpose(0, 2, 1)[:, ::-1] for one in (grey, both[1] > 0.5)]
    affine = np.array([[-1.0, 0, 0, 128], [0, 0, 1, -128], [0, -1, 0, 128], [0, 0, 0, 1]])
    return lia[0].astype(np.float32), lia[1], Grid((256, 256, 256), affine)


def defaced(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
    """Nothing before a slanted plane, unless it is near to the brain."""
    places = np.indices(image.shape)
    low, high = (getattr(np.argwhere(brain), end)(axis=0) for end in ("min", "max"))
    face = places[1] - (low[1] + high[1]) / 2 > places[2] - low[2]
    far = ndimage.distance_transform_edt(~brain) * MM > 8
    return np.where(face & far, 0, image), brain, grid_of(image.shape)


def stripped(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
    return image * brain, brain, grid_of(image.shape)


def silent_air(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
    """The noise around the head set to 0, but for some specks."""
    return np.where(image > 0.08 * np.percentile(image, 98), image, 0), brain, grid_of(image.shape)


def slices(axis: int, every: int) -> Callable[[Array, Mask], tuple[Array, Mask, Grid]]:
    """A two-dimensional acquisition: thick slices along one axis."""

    def thick(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
        def means(one: Array) -> Array:
            n = one.shape[axis] // every
            ordered = np.moveaxis(one, axis, 0)[: n * every]
            return np.moveaxis(ordered.reshape(n, every, *ordered.shape[1:]).mean(axis=1), 0, axis)

        steps = [MM * every if n == axis else MM for n in range(3)]
        made = means(image)
        return made, means(brain.astype(np.float32)) > 0.5, Grid(made.shape, np.diag([*steps, 1.0]))

    return thick


def tilted(axis: int, degrees: float) -> Callable[[Array, Mask], tuple[Array, Mask, Grid]]:
    def turned(image: Array, brain: Mask) -> tuple[Array, Mask, Grid]:
        side = max(image.shape) + 20
        made = [laid(one.astype(np.float32), about(axis, degrees), MM, side) for one in (image, brain)]
        return made[0], made[1] > 0.5, grid_of(made[0].shape)

    return turned


def grid_of(shape: tuple[int, ...]) -> Grid:
    return Grid((shape[0], shape[1], shape[2]), np.diag([MM, MM, MM, 1.0]))


def odd_heads() -> Iterator[object]:
    yield from (pytest.param(make, id=make.__name__) for make in (conformed, defaced, stripped, silent_air))
    for axis, name in enumerate("RAS"):
        yield pytest.param(slices(axis, 3), id=f"slices of 6 mm along {name}")
        for degrees in (-30, 30):
            yield pytest.param(tilted(axis, degrees), id=f"tilted by {degrees} degrees about {name}")


@pytest.mark.parametrize("make", odd_heads())
def test_no_gate_says_a_word_about(make, head, limits_of_all):
    image, brain, grid = make(*head)
    scans = {"t1": Volume(np.ascontiguousarray(image, dtype=np.float32)[None], grid)}
    found = judge_scans(scans, limits_of_all)
    found += judge_brain(brain, brain, None, grid, limits_of_all)
    found += judge_contrast(scans, brain, None, grid, limits_of_all)
    assert [one.sentence for one in found if one.level] == []
