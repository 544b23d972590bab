"""The models that come with brainseg: `python predict.py input=PATH` answers without any training."""

import pytest
from hydra import compose, initialize_config_dir

from brainseg.checkpoint import load_model
from brainseg.commands.models import models
from brainseg.config import ConfigError, check_predict, conf_dir, register_schemas
from brainseg.config.builtin import builtin_file, builtin_tasks
from brainseg.evaluation.brains import evaluate_brains
from brainseg.phantom import write_cohort
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.runs.packed_file import read_contract


def options(*overrides):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["device=cpu", *overrides]))


def test_each_has_weights_a_contract_and_a_card_and_all_are_small():
    assert builtin_tasks() == ["skullstripper"]
    files = [path for task in builtin_tasks() for path in builtin_file(task).parent.glob(f"{task}.*")]
    assert sorted(path.suffix for path in files) == [".json", ".md", ".safetensors"]
    assert sum(path.stat().st_size for path in files) < 30e6
    assert load_model(builtin_file("skullstripper")).task == "skullstripper"


def test_the_card_has_the_figures_of_the_contract():
    card = builtin_file("skullstripper").with_suffix(".md").read_text()
    measured = read_contract(builtin_file("skullstripper"))["run"]["facts"]["measured"]
    assert len(measured) == 2
    for one in measured:
        assert f"| {one['data']} | {one['score']} | {one['scans']} | {one['value']:.3f} |" in card


def test_they_are_listed_with_licence_and_figures(capsys):
    models()
    said = capsys.readouterr().out
    assert "Apache-2.0" in said
    assert "brain Dice 0.953" in said


def test_a_head_is_stripped_without_another_word(tmp_path):
    write_cohort(tmp_path / "heads", layout="nfbs", subjects=1, seed=5, spacing_mm=2.0)
    given = options(f"input={tmp_path}/heads", f"output={tmp_path}/out", "page=false")
    assert given.skullstripper == str(builtin_file("skullstripper"))
    run(given)
    (folder,) = (path.parent for path in (tmp_path / "out").glob("*/result.json"))
    result = read_result(folder)
    assert result.settings.values["skullstripper"] == "builtin"  # found wherever brainseg is installed
    assert not [one for one in result.reasons if "was not measured on real scans" in one]
    (case,) = evaluate_brains(tmp_path / "heads", tmp_path / "out").cases
    assert case.scores["dice"] > 0.93
    assert reproduce(folder) == []


def test_null_leaves_it_out_and_one_that_is_not_there_is_refused():
    assert options("input=x", "output=y", "skullstripper=null").skullstripper is None
    with pytest.raises(ConfigError, match=r"^segmenter=builtin: brainseg comes with no such model, only for"):
        options("input=x", "output=y", "segmenter=builtin")
