"""Gliomas that are grown for one painting, beside what 368 real label maps measure."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import ndimage

from brainseg.images.labels import EDEMA, ENHANCING_TUMOR, NECROTIC_CORE
from brainseg.phantom.anatomy import anatomy_of
from brainseg.phantom.gliomas import KINDS, grow_anew
from brainseg.phantom.painted_tumours import paint_tumour
from brainseg.phantom.scanners import Random
from brainseg.phantom.sequence_looks import drawn_looks
from brainseg.phantom.templates import make_template
from brainseg.phantom.tissues import tissues_of

SPACING_MM = 3.0
DRAWN = 160
ALL = ["t1", "t1ce", "t2", "flair"]


@pytest.fixture(scope="module")
def template():
    return make_template(7, SPACING_MM, 0.0)


@pytest.fixture(scope="module")
def grown(template):
    found = []
    for seed in range(DRAWN):
        rng = Random(seed)
        found.append(grow_anew(anatomy_of(tissues_of(template), rng), rng))
    return found


def rim(labels) -> float:
    """The share of a necrosis' border that is enhancing tumour."""
    dead = labels == NECROTIC_CORE
    around = ndimage.binary_dilation(dead) & ~dead
    return float((labels[around] == ENHANCING_TUMOR).mean())


def test_all_kinds_are_drawn_and_all_lie_in_the_brain(grown):
    kinds = Counter(glioma.kind for _, glioma in grown)
    assert set(kinds) == set(KINDS)
    for anatomy, glioma in grown:
        assert glioma.labels.any() == (glioma.kind != "none")
        assert not glioma.labels[~anatomy.brain].any()
        shares = glioma.core + glioma.infiltration + glioma.enhancing
        assert shares.min() >= 0
        assert shares.max() <= 1 + 1e-4


def test_low_grade_ones_mostly_do_not_enhance_and_others_mostly_do(grown):
    def enhancing(kind):
        return np.mean([(g.labels == ENHANCING_TUMOR).any().item() for _, g in grown if g.kind == kind])

    assert enhancing("low grade") < 0.3
    assert enhancing("ring") > 0.8
    assert enhancing("patchy") > 0.7


def test_rims_are_broken_as_real_ones_are(grown):
    labels = [g.labels.numpy() for _, g in grown if g.kind == "ring"]
    shares = [rim(one) for one in labels if (one == NECROTIC_CORE).sum() > 10]
    assert len(shares) > 15
    assert 0.4 < np.median(shares) < 0.97  # really .74; phantoms 1.00
    assert np.percentile(shares, 10) < 0.6
    assert np.percentile(shares, 90) > 0.75


def test_volumes_are_those_of_real_ones(grown):
    ml = [float((g.labels > 0).sum()) * SPACING_MM**3 / 1000 for _, g in grown if g.kind != "none"]
    assert 25 < np.median(ml) < 120  # really 90, and 45 of low grades
    assert np.percentile(ml, 95) > 120
    oedema = [float((g.labels == EDEMA).sum()) for _, g in grown if g.kind in ("ring", "patchy")]
    assert np.mean(np.array(oedema) > 0) > 0.7


def test_the_brain_gives_way_and_stays_a_brain(grown, template):
    for anatomy, _ in grown[:20]:
        total = anatomy.gray + anatomy.white + anatomy.fluid
        assert torch.allclose(total[anatomy.brain], torch.ones(1), atol=0.02)
        assert not total[~anatomy.brain].any()


def test_looks_are_of_their_sequences():
    for seed in range(50):
        looks = drawn_looks(Random(seed))
        t1, t1ce, t2, flair = (looks[name] for name in ALL)
        assert t1["csf"] < t1["gray"] < t1["white"]
        assert t2["csf"] > t2["gray"] > t2["white"]
        assert flair["csf"] < flair["white"]
        assert flair["infiltration"] > max(flair["gray"], flair["white"])
        assert t1["infiltration"] <= t1["white"]
        assert t1ce["enhancing"] > 0.12


def test_a_painting_is_its_seed_s_and_stripped_brains_are_0_outside(template):
    images, labels = paint_tumour(template, 3, ALL)
    again, _ = paint_tumour(template, 3, ALL)
    other, _ = paint_tumour(template, 4, ALL)
    assert images.shape == (4, *labels.shape)
    assert np.array_equal(images, again)
    assert not np.array_equal(images, other)
    assert images.min() >= 0
    assert np.isfinite(images).all()
    stripped = (images == 0).all(axis=0)
    assert stripped.any()
    assert not labels[stripped].any()


def test_tumours_stand_out_in_flair_more_often_than_not(template):
    brighter = []
    for seed in range(40):
        (flair,), labels = paint_tumour(template, seed, ["flair"])
        if (labels == EDEMA).sum() > 20:
            brain = flair[(flair > 0) & (labels == 0)]
            brighter.append(flair[labels == EDEMA].mean() > brain.mean())
    assert len(brighter) > 15
    assert np.mean(brighter) > 0.85
