"""No tumour type stands in large letters beside a class that is likelier, and every place states one rule."""

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from brainseg.bids.tables import COLUMNS
from brainseg.commands.demo import DICES, _print_scores
from brainseg.config import TUMOR_TYPES, check_predict, conf_dir, register_schemas
from brainseg.gates import Level
from brainseg.gates.judge import judge_type
from brainseg.inference import combine_votes
from brainseg.reporting.index_page import write_index_page
from brainseg.reporting.subject_page import write_subject_page
from brainseg.results.result import Result
from brainseg.results.table import columns_of, write_volumes
from brainseg.results.type_words import TypeWords

PITUITARY = {"glioma": 0.10, "meningioma": 0.08, "notumor": 0.57, "pituitary": 0.25}
GLIOMA = {"glioma": 0.60, "meningioma": 0.05, "notumor": 0.30, "pituitary": 0.05}


@pytest.fixture
def result_with(result_json, type_json):
    def _result(probabilities, verdict) -> Result:
        values = {"seconds": {"read": 1.0}, "peak_memory_mb": {"read": 1.0}}
        found = result_json(tumor_type=type_json(verdict, probabilities), **values)
        return Result.from_json(found, Path("result.json"))

    return _result


def words(verdict, probabilities, healthy_at=0.95) -> TypeWords:
    found = TypeWords()
    found.verdict, found.probabilities, found.healthy_at = verdict, probabilities, healthy_at
    return found


@pytest.fixture(scope="module")
def limits():
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["input=x", "output=y"])).gates


@pytest.fixture
def page(tmp_path, result_with):
    def _page(probabilities, verdict):
        write_subject_page(tmp_path / "report.html", result_with(probabilities, verdict), None, {})
        return (tmp_path / "report.html").read_text()

    return _page


def test_the_large_letters_say_undecided_and_the_small_ones_between_what(page):
    text = page(PITUITARY, "pituitary")
    assert "<strong>pituitary</strong>" not in text
    assert "<strong>undecided</strong>" in text
    assert "mean of 27 slices: pituitary 0.25, notumor 0.57 (notumor needs 0.95)" in text
    assert "The model is undecided: pituitary 0.25, notumor 0.57 (notumor needs 0.95)." in text


def test_a_type_that_is_likelier_than_all_else_stands_as_it_is(page):
    text = page(GLIOMA, "glioma")
    assert "<strong>glioma</strong>" in text
    assert "undecided" not in text


def test_no_tumour_below_a_likelier_tumour_is_undecided_too():
    """As with vote.healthy_at=0.3."""
    assert words("notumor", GLIOMA).in_words == "undecided"
    assert words("notumor", GLIOMA, 0.3).means_in_words == "notumor 0.30, glioma 0.60 (notumor needs 0.3)"
    assert words("notumor", {"glioma": 0.04, "notumor": 0.96}).in_words == "no tumour"


def test_the_index_and_the_table_name_both(tmp_path, result_with):
    result = result_with(PITUITARY, "pituitary")
    write_index_page(tmp_path, [result])
    assert "<td>undecided: pituitary 0.25, notumor 0.57</td>" in (tmp_path / "index.html").read_text()
    write_volumes(tmp_path, [result])
    with (tmp_path / "volumes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["type"], row["probability"]) == ("pituitary", "0.25")
    assert (row["notumor_probability"], row["undecided"]) == ("0.57", "yes")
    assert columns_of(result_with(GLIOMA, "glioma"))["undecided"] == "no"


def test_the_demo_scores_the_rule_and_marks_what_the_page_calls_undecided():
    row = {
        "truth": "pituitary",
        "verdict": "pituitary",
        "brain": 0.9,
        "false_ml": None,
        "seconds": {},
        "mb": {},
    }
    row |= dict.fromkeys(DICES, 0.9)
    screen = Console(width=120, record=True, quiet=False, file=StringIO())
    _print_scores([{"subject": f"sub-{n}", "undecided": n == 1, **row} for n in (1, 2)], screen)
    lines = {words[1]: line for line in screen.export_text().splitlines() if len(words := line.split()) > 1}
    assert "pituitary *" in lines["sub-1"]
    assert "*" not in lines["sub-2"]
    assert "2 of 2" in lines["mean"]


@pytest.mark.parametrize("seed", range(20))
def test_every_place_that_states_the_rule_states_that_of_the_code(seed):
    """`combine_votes` is the code; the rule as participants.json has it is done by hand here."""
    means = np.random.default_rng(seed).dirichlet([1, 1, 6, 1])
    for healthy_at in (0.3, 0.6, 0.95):
        said = combine_votes(means[None], TUMOR_TYPES, healthy_at)
        by_name = dict(zip(TUMOR_TYPES, means, strict=True))
        tumours = {name: p for name, p in by_name.items() if name != "notumor"}
        by_hand = "notumor" if by_name["notumor"] >= healthy_at else max(tumours, key=lambda n: tumours[n])
        assert said.verdict == by_hand
        assert words(said.verdict, said.probabilities).is_undecided == (
            by_hand != max(by_name, key=lambda n: by_name[n])
        )
    rule = COLUMNS["type"]
    assert "notumor where its mean probability over the slices is at least healthy_at" in rule
    assert "else the tumour type with the largest mean, even where that of notumor is larger" in rule
    assert "most slices" not in json.dumps(COLUMNS)


def test_a_type_that_has_little_of_what_is_not_notumor_is_reviewed(limits):
    """0.18 of 1 - 0.57 is 42 %; 0.35 of 0.43 is 81 %; a type that leads is judged by its entropy alone."""
    unsure = {"glioma": 0.16, "meningioma": 0.09, "notumor": 0.57, "pituitary": 0.18}
    (finding,) = [one for one in judge_type("pituitary", unsure, 1.0, limits) if one.gate == "type_share"]
    assert finding.level is Level.review
    assert finding.value == pytest.approx(0.18 / 0.43)
    assert finding.sentence == (
        "The class notumor is more probable than the tumour type, which has 42% of the probability of all "
        "tumour types (limit: at least 50%): the tumour type is uncertain. Look at the probabilities of all "
        "types."
    )
    clear = {"glioma": 0.35, "meningioma": 0.04, "notumor": 0.57, "pituitary": 0.04}
    levels = {one.gate: one.level for one in judge_type("glioma", clear, 1.0, limits)}
    assert levels["type_share"] is Level.passed
    assert "type_share" not in {one.gate for one in judge_type("glioma", GLIOMA, 1.0, limits)}
