"""Sequences under each other's names, where FLAIR looks like an old one: with bright white matter."""

import numpy as np
import pytest

from brainseg.gates import atlas
from brainseg.gates.judge import judge_contrast
from brainseg.images.volume import Grid, Volume


@pytest.mark.parametrize(
    ("t1", "flair", "said"),
    [((100, 80), (90, 86), set()), ((90, 86), (110, 60), {"t1_over_flair"})],
)
def test_the_t1_has_the_whiter_white_matter(limits_of_all, t1, flair, said):
    known = atlas.atlas()
    grid = Grid(known.brain.shape, np.diag([atlas.STEP_MM] * 3 + [1]))
    rng = np.random.default_rng(0)

    def scan(white, gray):
        image = np.where(known.tissues[atlas.WHITE], white, gray) * known.brain
        image = np.where(known.tissues[atlas.CSF], 40, image) + rng.normal(0, 1, known.brain.shape)
        return Volume(image[None].astype(np.float32), grid)

    images = {"t1": scan(*t1), "flair": scan(*flair)}
    found = judge_contrast(images, known.brain, None, grid, limits_of_all)
    assert {one.gate for one in found if one.level} - {"white_over_gray"} == said
