"""A trained model scored on other data than it learnt from."""

import csv
import json
from statistics import fmean

import pytest
import torch
from typer.testing import CliRunner

from brainseg.commands import cli
from brainseg.compare import external_page
from brainseg.compare.external import models_of
from brainseg.config import ConfigError
from brainseg.runs.cases import read_cases

PHANTOMS = ["data=phantom", "data.spacing_mm=6", "data.subjects=4", "data.slices_per_subject=3"]


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    monkeypatch.setattr(external_page, "inline_figure", lambda figure: "data:,")


def score(*words):
    return CliRunner().invoke(cli.app, ["score", *map(str, words)])


@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_the_models_own_test_part_scores_as_its_training_said_and_what_it_learnt_from_is_told(
    trained, tmp_path, task
):
    cfg, best = trained(task)
    own = [*PHANTOMS, f"paths.data={cfg.paths.data}"]
    if task == "classifier":
        own.append("data.test_share=0.2")  # of which the cohort's Testing folder is made
    result = score(best, *own, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    cases = {case.case: case.numbers for case in read_cases(tmp_path / "cases.csv")}
    before = {c.case: c.numbers for c in read_cases(best.parent.parent / "cases.csv") if c.part == "test"}
    assert before
    for case, scores in before.items():
        for name, value in scores.items():
            assert cases[case][name] == pytest.approx(value, abs=0.02)  # trained in bf16
    split = json.loads((best.parent.parent / "split.json").read_text())
    assert len(cases) == sum(len(names) for names in split.values())
    scores = json.loads((tmp_path / "scores.json").read_text())
    name = cfg[task].monitor.partition("/")[2]
    assert scores[name]["value"] == pytest.approx(fmean(case[name] for case in cases.values()))
    assert "learnt from cases of these names" in (tmp_path / "score.html").read_text()


def test_other_heads_under_the_same_names_are_no_overlap_and_folds_answer_together(trained, tmp_path):
    cfg, best = trained("segmenter")
    other = tmp_path / "other.ckpt"
    other.write_bytes(best.read_bytes())
    one, both = tmp_path / "one", tmp_path / "both"
    words = [*PHANTOMS[:3], "seed=5", f"paths.data={cfg.paths.data}"]
    assert score(best, *words, "--output", one).exit_code == 0
    result = score(best, other, *words, "--output", both)
    assert result.exit_code == 0, result.output
    assert "learnt from" not in result.stdout
    found = [list(csv.DictReader((folder / "cases.csv").open())) for folder in (one, both)]
    assert found[0] == found[1]  # the same model twice


def test_what_cannot_be_scored_is_one_line(trained, tmp_path):
    _, segmenter = trained("segmenter")
    result = score(segmenter, "data=lgg", f"data.root={tmp_path}")
    assert result.exit_code == 2
    assert "the model looks at t1, t1ce, t2, flair, but data=lgg has no t2; score a model" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert score(segmenter, "data=brast").exit_code == 2
    assert score("data=lgg").exit_code == 2
    _, stripper = trained("skullstripper")
    with pytest.raises(ConfigError, match="of several tasks"):
        models_of([segmenter, stripper], torch.device("cpu"))
