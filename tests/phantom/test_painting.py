"""Templates of heads, and what is painted from them."""

import numpy as np
import pytest

from brainseg.phantom.head import Pose, build_head
from brainseg.phantom.lattice import Lattice
from brainseg.phantom.painting import paint
from brainseg.phantom.templates import BRAIN, PARTS, make_template

SPACING_MM = 4.0


@pytest.fixture(scope="module")
def templates():
    return [make_template(seed, SPACING_MM) for seed in range(8)]


def test_a_template_has_a_brain_of_a_person_s_size_in_its_mask(templates):
    for template in templates:
        assert template.brain[template.parts == BRAIN].all()
        ml = template.brain.sum() * SPACING_MM**3 / 1000
        assert 800 < ml < 2200
        shares = template.gray.astype(int) + template.white
        assert shares.max() <= 256  # rounded one by one
        assert not shares[template.parts != BRAIN].any() or template.parts.max() > BRAIN


def test_some_templates_have_a_tumour_in_their_brain(templates):
    tumours = [template.parts > BRAIN for template in templates]
    assert 1 <= sum(tumour.any() for tumour in tumours) < len(templates)
    for tumour, template in zip(tumours, templates, strict=True):
        assert template.brain[tumour].all()
    assert PARTS[BRAIN + 1 :] == ("necrosis", "edema", "enhancing")


def test_the_same_seed_paints_the_same_and_another_something_else(templates):
    first, mask = paint(templates[0], 1)
    again, _ = paint(templates[0], 1)
    other, _ = paint(templates[0], 2)
    np.testing.assert_array_equal(first, again)
    assert first.shape == mask.shape
    assert other.shape != first.shape or not np.allclose(other, first)


def test_a_painting_is_finite_and_not_negative(templates):
    for seed in range(40):
        image, mask = paint(templates[seed % 8], seed)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert mask.any()


def test_most_of_the_brain_stays_in_the_field_of_view(templates):
    heads = [templates[seed % len(templates)] for seed in range(60)]
    kept = [paint(head, seed)[1].sum() / head.brain.sum() for seed, head in enumerate(heads)]
    assert min(kept) > 0.6
    assert np.mean(np.array(kept) > 0.97) > 0.7
    assert min(kept) < 0.995  # and in some it is cut


def test_white_matter_is_brighter_than_gray_in_some_and_darker_in_others(templates):
    order = []
    for seed in range(80):
        template = templates[seed % len(templates)]
        image, mask = paint(template, seed)
        if mask.shape == template.brain.shape:  # nothing is cut off
            order.append(np.median(image[template.white > 200]) > np.median(image[template.gray > 200]))
    assert len(order) >= 5
    assert 0.15 < np.mean(order) < 0.85


def test_a_rim_moves_the_brain_s_edge_outwards_by_its_width_on_average():
    lattice = Lattice((48, 56, 48), (4.0, 4.0, 4.0))
    plain, wide = (build_head(3, lattice, Pose(rim_mm=rim)) for rim in (0.0, 2.5))
    wider = (plain.brain_mm - wide.brain_mm)[np.abs(plain.brain_mm) < 4]
    assert wider.min() >= 0
    assert wider.mean() == pytest.approx(2.5, abs=0.5)
    assert 0.3 < wider.std() < 1.5
