import numpy as np
import pytest
from scipy import ndimage

from brainseg.config import SEQUENCES
from brainseg.phantom.head import brain_fractions, build_head
from brainseg.phantom.parts import Tissue
from brainseg.phantom.subject import WHOLE_HEAD, _lattice, head_grid

SEEDS = range(5)


@pytest.fixture(scope="module")
def tissues():
    """Per seed: masks of voxels that are nearly pure, and of some tissues outside the brain."""

    def _tissues(seed):
        head = build_head(seed, _lattice(head_grid(4.0)), WHOLE_HEAD)
        gray, white = (np.zeros(head.tissue.shape, np.float32) for _ in range(2))
        gray.ravel()[head.voxels], white.ravel()[head.voxels] = brain_fractions(head, seed)
        masks = {t.name.lower(): head.tissue == t for t in Tissue}
        csf = masks["brain"] & (gray + white < 0.15)
        return masks | {"gray": gray > 0.85, "white": white > 0.9, "csf": csf}

    return _tissues


def means(subject, masks, sequence):
    return {name: float(subject.images[sequence][m].mean()) for name, m in masks.items() if m.any()}


@pytest.mark.parametrize("seed", SEEDS)
def test_t1_shows_white_matter_brightest_and_csf_dark(subject, tissues, seed):
    m = means(subject(seed, "notumor"), tissues(seed), "t1")
    assert m["white"] > 1.05 * m["gray"] > 1.2 * m["csf"]


@pytest.mark.parametrize("seed", SEEDS)
def test_t2_shows_csf_brightest_and_white_matter_dark(subject, tissues, seed):
    m = means(subject(seed, "notumor"), tissues(seed), "t2")
    assert m["csf"] > 1.2 * m["gray"] > 1.3 * m["white"]


@pytest.mark.parametrize("seed", SEEDS)
def test_flair_shows_csf_dark_and_gray_matter_above_white(subject, tissues, seed):
    m = means(subject(seed, "notumor"), tissues(seed), "flair")
    assert m["gray"] > m["white"] > 1.3 * m["csf"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_head_has_bright_fat_on_t1_and_dark_air_in_all_sequences(subject, tissues, seed):
    s, masks = subject(seed, "notumor"), tissues(seed)
    m = means(s, masks, "t1")
    assert m["fat"] > m["gray"] > m["eye"]
    for sequence in SEQUENCES:
        m = means(s, masks, sequence)
        assert m["air"] < 0.15 * max(m["white"], m["gray"])


@pytest.mark.parametrize("seed", SEEDS)
def test_contrast_agent_changes_only_what_enhances(subject, tissues, seed):
    s, masks = subject(seed, "glioma"), tissues(seed)
    gain = s.images["t1ce"] - s.images["t1"]
    scale = s.images["t1"][masks["white"]].mean()
    healthy = (masks["white"] | masks["gray"]) & (s.labels == 0)
    assert abs(np.median(gain[healthy])) < 0.01 * scale
    beyond_the_rim = (s.labels == 2) & ~ndimage.binary_dilation(s.labels == 3, iterations=2)
    assert abs(np.median(gain[beyond_the_rim])) < 0.02 * scale
    assert gain[s.labels == 3].mean() > 0.25 * scale


@pytest.mark.parametrize("seed", SEEDS)
def test_oedema_is_bright_on_flair_and_t2_and_dark_on_t1(subject, tissues, seed):
    s, masks = subject(seed, "glioma"), tissues(seed)
    white = masks["white"] & (s.labels == 0)
    edema = s.labels == 2
    for sequence, brighter in (("flair", True), ("t2", True), ("t1", False)):
        ratio = s.images[sequence][edema].mean() / s.images[sequence][white].mean()
        assert (ratio > 1.2) == brighter, (sequence, ratio)


def test_random_contrast_keeps_the_truth_and_changes_the_images(subject):
    a, b = subject(2, "glioma"), subject(2, "glioma", contrast="random")
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.brain, b.brain)
    for sequence in SEQUENCES:
        assert abs(np.corrcoef(a.images[sequence][a.brain], b.images[sequence][a.brain])[0, 1]) < 0.99


def test_random_contrasts_put_white_matter_on_either_side_of_gray(tissues, subject):
    order = set()
    for seed in range(5):
        masks, s = tissues(seed), subject(seed, "notumor", contrast="random")
        for sequence in SEQUENCES:
            m = means(s, masks, sequence)
            order.add(m["white"] > m["gray"])
    assert order == {True, False}


def test_noise_in_air_is_rician(subject):
    """The magnitude of Gaussian noise alone has mean / sd = sqrt(pi / (4 - pi)) = 1.913 (Rayleigh)."""
    corner = subject(0, "notumor").images["t1"][:6, -6:, -6:]
    assert corner.mean() / corner.std() == pytest.approx(1.913, rel=0.15)
