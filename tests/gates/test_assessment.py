"""Values beside their limits, and the words for them."""

from dataclasses import fields

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.errors import ConfigError
from brainseg.config.gates import GatesConfig
from brainseg.gates import Level, worst
from brainseg.gates.assessment import Assessment, Unmeasured, assess
from brainseg.gates.order import ORDER, likeliest_first
from brainseg.gates.words import WORDS


def composed(*overrides):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["input=x", "output=y", *overrides]))


@pytest.fixture(scope="module")
def limits() -> GatesConfig:
    return composed().gates


def test_every_gate_has_words_and_limits(limits):
    names = {one.name for one in fields(GatesConfig)} - {"contradictions"}
    assert set(WORDS) == names
    assert all(getattr(limits, name) is not None for name in names)


LOOK = "the brain mask or the voxel size may be wrong. Look at the mask and check the voxel size."


@pytest.mark.parametrize("gate", WORDS)
def test_every_sentence_names_value_and_limit_and_what_to_do(gate):
    words = WORDS[gate]
    passed, failed = words.passed(0.123456, [0.1, None]), words.failed(0.123456, [0.2, None])
    unit, scale = ("%", 100) if "%}" in words.measure else ("", 1)
    assert passed.endswith(f"(limit: at least {0.1 * scale:g}{unit}).")
    assert f" (limit: at least {0.2 * scale:g}{unit}): {words.meaning}. {words.advice}." in failed
    assert passed.startswith(words.measure.format(0.123456))
    assert words.measure.format(1) != words.measure.format(2)  # the value has a place in it
    assert all(text[0].isupper() or text[0] == "{" for text in (words.measure, words.advice))
    assert not any(text.endswith(".") for text in (words.measure, words.meaning, words.advice))


def test_a_side_without_a_limit_is_not_named():
    words = WORDS["field_of_view_mm"]
    assert words.failed(39.0, [50, None]) == (
        "The shortest side of the field of view is 39 mm (limit: at least 50): part of the head may be "
        "outside the image. Check the field of view and the voxel size."
    )
    assert words.passed(39.0, None) == "The shortest side of the field of view is 39 mm (no limit)."


@pytest.mark.parametrize(
    ("ml", "level", "sentence"),
    [
        (1400, "pass", "The brain mask holds 1400 ml (limits: 900 to 2100)."),
        (899, "review", f"The brain mask holds 899 ml (limits: 900 to 2100): {LOOK}"),
        (2101, "review", f"The brain mask holds 2101 ml (limits: 900 to 2100): {LOOK}"),
        (499, "fail", f"The brain mask holds 499 ml (limits: 500 to 3000): {LOOK}"),
        (3001, "fail", f"The brain mask holds 3001 ml (limits: 500 to 3000): {LOOK}"),
    ],
)
def test_a_value_passes_is_reviewed_or_fails(limits, ml, level, sentence):
    (found,) = assess({"brain_ml": ml}, limits)
    assert (str(found.level), found.sentence) == (level, sentence)


def test_a_sequence_has_its_own_limits_and_its_name_in_the_sentence(limits):
    levels = {
        name: str(assess({"csf_over_white": 2.0}, limits, name)[0].level)
        for name in ("t1", "t1ce", "t2", "flair")
    }
    assert levels == {"t1": "review", "t1ce": "review", "t2": "pass", "flair": "review"}
    (found,) = assess({"csf_over_white": -1.0}, limits, "t2")
    assert found.sentence == (
        "t2: The intensity of CSF less that of white matter is -1.00 standard deviations of the brain "
        "(limit: at least 0.1): the file may hold another sequence than its name says. Check which sequence "
        "it is."
    )


def test_a_gate_without_limits_is_not_looked_at():
    opened = composed("gates.noise=null").gates
    assert assess({"noise": 9.0}, opened, "t1") == []
    assert composed("gates=none").gates is None


def test_limits_can_be_moved_from_the_command_line():
    moved = composed("gates.brain_ml.review=[300,900]").gates
    assert str(assess({"brain_ml": 1400.0}, moved)[0].level) == "review"


@pytest.mark.parametrize("ends", ["[2,1]", "[null,null]", "[1]", "5"])
def test_limits_that_make_no_sense_are_refused(ends):
    with pytest.raises(ConfigError, match=r"^gates: review takes \[low, high\]"):
        composed(f"gates.noise.review={ends}")


def test_the_worst_level_counts(limits):
    assert worst([]) is Level.passed
    found = [*assess({"brain_ml": 1400.0}, limits), *assess({"brain_ml": 880.0}, limits)]
    assert worst(found) is Level.review


def test_a_sentence_names_the_measure_its_value_the_limit_and_what_to_do(limits):
    (found,) = assess({"noise": 0.25}, limits, "t1")
    assert found.sentence == (
        "t1: The noise is 25.0% of the median intensity (limit: at most 20%): the noise may hide small "
        "structures. Look at the scan, and use a less noisy one if you have it."
    )


def test_what_cannot_be_measured_says_why_and_passes(limits):
    (found,) = assess({"air_structure": Unmeasured("most of the background has one value")}, limits, "t1")
    assert (found.level, found.value) == (Level.passed, None)
    assert found.sentence == (
        "t1: air_structure could not be measured: most of the background has one value."
    )


def test_every_gate_has_its_place_among_the_reasons():
    assert set(WORDS) <= set(ORDER)
    assert len(ORDER) == len(set(ORDER))


def test_what_stops_a_subject_and_what_explains_the_rest_come_first():
    levels = {"air_structure": 1, "deep_meningioma": 1, "tumor_outside": 1, "brain_cut_off": 1, "brain_ml": 2}
    found = [Assessment(name, Level(level), 1.0, None, "") for name, level in levels.items()]
    first = [one.gate for one in likeliest_first(found)]
    assert first == ["brain_ml", "brain_cut_off", "deep_meningioma", "tumor_outside", "air_structure"]
