"""The vote of the slices beside the type of the whole brain, and each of them beside the outline."""

import pytest

from brainseg.config.check import as_section
from brainseg.config.defaults import with_defaults
from brainseg.config.gates import ContradictionsConfig, GatesConfig
from brainseg.gates import Level
from brainseg.gates.contradictions import VOLUME, Evidence, contradictions, types_agree, types_differ
from brainseg.gates.judge import judge_type
from brainseg.gates.order import likeliest_first
from brainseg.gates.tumor import TumorShape
from brainseg.inference import shared_probability, verdict_of

LIMITS = ContradictionsConfig(**with_defaults({})["gates"]["contradictions"])


def said(glioma=0.0, meningioma=0.0, notumor=0.0, pituitary=0.0):
    return {"glioma": glioma, "meningioma": meningioma, "notumor": notumor, "pituitary": pituitary}


def test_two_likeliest_types_are_a_finding_with_both_probabilities_the_share_and_the_limit():
    (found,) = types_differ(said(glioma=0.9, notumor=0.1), said(meningioma=0.8, glioma=0.2), LIMITS)
    assert (found.gate, found.level, found.of) == ("types_differ", Level.review, None)
    assert found.value == pytest.approx(0.2)
    assert found.sentence == (
        "The slices say glioma at 0.90 and the 3-D classifier says meningioma at 0.80, with 20% of their "
        "probability in common (limits: one type, and at least 50%): one of the two may be wrong. Look at "
        "the scan, and at where each of them looked."
    )


@pytest.mark.parametrize(
    ("vote", "volume", "agree", "differ"),
    [
        (said(glioma=0.9, notumor=0.1), said(glioma=0.7, notumor=0.3), True, False),
        # A healthy head whose vote misses healthy_at: the rule names a tumour that nobody believes in.
        (said(notumor=0.8, pituitary=0.2), said(notumor=0.99, glioma=0.01), True, False),
        (said(glioma=0.55, notumor=0.45), said(glioma=0.45, notumor=0.55), False, True),
        (said(glioma=0.4, notumor=0.3, meningioma=0.3), said(glioma=0.4, pituitary=0.6), False, True),
        (said(glioma=0.3, meningioma=0.25, notumor=0.2, pituitary=0.25), said(glioma=1.0), True, True),
    ],
)
def test_one_likeliest_type_and_enough_in_common_is_no_finding(vote, volume, agree, differ):
    assert types_agree(vote, volume) is agree
    assert bool(types_differ(vote, volume, LIMITS)) is differ


def test_classifiers_of_different_tumours_are_compared_by_whether_there_is_one():
    few = {"glioma": 0.9, "notumor": 0.1}
    assert shared_probability(said(pituitary=0.8, notumor=0.2), few) == pytest.approx(0.9)
    assert types_agree(said(pituitary=0.8, notumor=0.2), few) is None  # which the other cannot say
    assert types_differ(said(pituitary=0.8, notumor=0.2), few, LIMITS) == []
    assert types_differ(said(notumor=0.9, pituitary=0.1), few, LIMITS)
    assert shared_probability(said(glioma=1.0), {"glioma": 0.5, "meningioma": 0.5}) is None


def test_the_verdict_is_that_of_the_vote_s_rule():
    assert verdict_of(said(notumor=0.94, pituitary=0.04, glioma=0.02), 0.95) == "pituitary"
    assert verdict_of(said(notumor=0.96, pituitary=0.04), 0.95) == "notumor"
    assert verdict_of({"glioma": 0.3, "meningioma": 0.7}, 0.95) == "meningioma"
    assert verdict_of({"notumor": 1.0}, 0.95) == "notumor"


def test_the_type_of_the_whole_brain_is_held_against_the_outline_too():
    (found,) = contradictions(Evidence("notumor", TumorShape(20.0), of=VOLUME), LIMITS)
    assert (found.gate, found.of) == ("tumor_without_verdict", "volume_classifier")
    assert found.sentence == (
        "The 3-D classifier says no tumour, but the outlined tumour holds 20.0 ml (limit: at most 5): one of "
        "the two may be wrong. Look at the scan."
    )


def test_a_network_that_looked_elsewhere_is_a_finding():
    looked = Evidence("glioma", TumorShape(20.0, sella_mm=60), heat_times=0.2, of=VOLUME)
    (found,) = contradictions(looked, LIMITS)
    assert (found.gate, found.value) == ("heat_outside_tumor", 0.2)
    assert found.sentence == (
        "The 3-D classifier's Grad-CAM is 0.20 times as strong in the outlined tumour as in the brain "
        f"(limit: at least {LIMITS.heat_times:g}): it may have judged by something else. Look at its picture."
    )
    assert contradictions(Evidence("glioma", heat_times=None, of=VOLUME), LIMITS) == []
    assert contradictions(Evidence("notumor", heat_times=0.0, of=VOLUME), LIMITS) == []


def test_how_sure_it_is_is_judged_with_its_name_and_without_planes():
    limits = as_section(GatesConfig, with_defaults({})["gates"])
    found = judge_type("pituitary", said(0.2, 0.2, 0.31, 0.29), None, limits, VOLUME)
    assert [(one.gate, one.of, one.level) for one in found] == [
        ("type_entropy", VOLUME, Level.review),
        ("type_share", VOLUME, Level.review),
    ]
    assert found[0].sentence.startswith(
        "volume_classifier: The entropy of the tumour type is 99% of that of a"
    )
    without = judge_type("glioma", {"glioma": 0.6, "meningioma": 0.4}, None, limits, VOLUME)
    assert [one.gate for one in without] == ["type_entropy"]


def test_a_contradiction_of_the_two_comes_before_doubts_of_the_outline():
    (differ,) = types_differ(said(glioma=1.0), said(meningioma=1.0), LIMITS)
    (other,) = contradictions(Evidence("notumor", TumorShape(20.0)), LIMITS)
    assert likeliest_first([other, differ]) == [other, differ]
