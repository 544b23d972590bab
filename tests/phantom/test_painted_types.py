"""Types are painted anew, and the tumour can be seen in any contrast."""

from itertools import pairwise

import numpy as np
import pytest

from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.phantom import painted_types
from brainseg.phantom.painted_types import LEAST_CONTRAST, paint_type, type_looks
from brainseg.phantom.scanners import Random
from brainseg.phantom.templates import make_template

SPACING_MM = 5.0


@pytest.fixture(scope="module")
def templates():
    return {kind: make_template(3, SPACING_MM, tumor_type=kind) for kind in TUMOR_TYPES}


def test_a_template_holds_the_type_that_was_asked_for(templates):
    for kind, template in templates.items():
        assert template.tumor_type == kind
        assert (template.parts > templates["notumor"].parts.max()).any() == (kind != "notumor")


@pytest.mark.parametrize("kind", TUMOR_TYPES)
def test_a_painting_is_decided_by_its_seed(templates, kind):
    one, same, other = (paint_type(templates[kind], seed, SEQUENCES, 6.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(one) == len(SEQUENCES)
    assert one.min() >= 0
    assert one.shape != other.shape or not np.allclose(one, other)


def test_a_glioma_grows_anew_in_the_head_of_a_glioma_without_one(templates):
    from dataclasses import replace

    healthy = replace(templates["notumor"], tumor_type="glioma")
    painted = [paint_type(healthy, seed, ["t1ce"], 0.0) for seed in range(3)]
    plain = [paint_type(templates["notumor"], seed, ["t1ce"], 0.0) for seed in range(3)]
    assert all(a.shape != b.shape or not np.allclose(a, b) for a, b in zip(painted, plain, strict=True))
    assert all(a.shape != b.shape or not np.allclose(a, b) for a, b in pairwise(painted))


def test_a_tumour_of_random_brightness_is_not_that_of_gray_matter(monkeypatch):
    monkeypatch.setattr(painted_types, "RANDOM_SHARE", 1.0)
    monkeypatch.setattr(painted_types, "JITTER", 0.0)
    for seed in range(40):
        means = type_looks(Random(seed), "meningioma")["any"]
        assert abs(means["enhancing"] - means["gray"]) > LEAST_CONTRAST - 1e-6
        assert {"core", "infiltration", "lesion", "plexus", "vessel", "csf", "white"} <= set(means)


def test_extra_axial_tumours_enhance_through_and_through():
    for kind in ("meningioma", "pituitary"):
        for seed in range(10):
            looks = type_looks(Random(seed), kind)
            assert looks["t1ce"]["enhancing"] > looks["t1ce"]["gray"]
