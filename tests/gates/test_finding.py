"""Values beside their limits, and the words for them."""

from dataclasses import fields

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.errors import ConfigError
from brainseg.config.gates import GatesConfig
from brainseg.gates import Level, worst
from brainseg.gates.finding import findings
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


@pytest.mark.parametrize(
    ("ml", "level", "sentence"),
    [
        (1400, "pass", "The brain mask holds 1400 ml; 900 to 2100 pass."),
        (899, "review", "The brain mask holds 899 ml; 900 to 2100 pass."),
        (2101, "review", "The brain mask holds 2101 ml; 900 to 2100 pass."),
        (499, "fail", "The brain mask holds 499 ml; 500 to 3000 pass."),
        (3001, "fail", "The brain mask holds 3001 ml; 500 to 3000 pass."),
    ],
)
def test_a_value_passes_is_reviewed_or_fails(limits, ml, level, sentence):
    (found,) = findings({"brain_ml": ml}, limits)
    assert (str(found.level), found.sentence) == (level, sentence)


def test_a_sequence_has_its_own_limits_and_its_name_in_the_sentence(limits):
    levels = {
        name: str(findings({"csf_over_white": 2.0}, limits, name)[0].level)
        for name in ("t1", "t1ce", "t2", "flair")
    }
    assert levels == {"t1": "review", "t1ce": "review", "t2": "pass", "flair": "review"}
    (found,) = findings({"csf_over_white": -1.0}, limits, "t2")
    assert found.sentence == (
        "t2: CSF is brighter than white matter by -1.00 standard deviations; at least 0.1 passes."
    )


def test_a_gate_without_limits_is_not_looked_at():
    opened = composed("gates.noise=null").gates
    assert findings({"noise": 9.0}, opened, "t1") == []
    assert composed("gates=none").gates is None


def test_limits_can_be_moved_from_the_command_line():
    moved = composed("gates.brain_ml.review=[300,900]").gates
    assert str(findings({"brain_ml": 1400.0}, moved)[0].level) == "review"


@pytest.mark.parametrize("ends", ["[2,1]", "[null,null]", "[1]", "5"])
def test_limits_that_make_no_sense_are_refused(ends):
    with pytest.raises(ConfigError, match=r"^gates: review takes \[low, high\]"):
        composed(f"gates.noise.review={ends}")


def test_the_worst_level_counts(limits):
    assert worst([]) is Level.passed
    found = [*findings({"brain_ml": 1400.0}, limits), *findings({"brain_ml": 880.0}, limits)]
    assert worst(found) is Level.review
