"""cases.csv and summary.json of real runs: what the best checkpoint's score is made of."""

import csv
import json
from statistics import fmean

import pytest

from brainseg.runs.cases import ScoredCase, read_cases, read_summary, write_cases


@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_the_cases_of_a_run_have_the_scores_of_its_best_checkpoint_as_their_mean(trained, task):
    cfg, best = trained(task)
    run = best.parent.parent
    rows = [row for row in csv.DictReader((run / "metrics.csv").open()) if row.get(cfg[task].monitor)]
    cases = [case for case in read_cases(run / "cases.csv") if case.part == "val"]
    name = cfg[task].monitor.partition("/")[2]
    assert fmean(case.numbers[name] for case in cases) == pytest.approx(float(rows[0][cfg[task].monitor]))
    split = json.loads((run / "split.json").read_text())
    assert [case.case for case in cases] == split["val"][: len(cases)]
    assert all(case.subject for case in cases)
    scores = json.loads((run / "scores.json").read_text())
    tested = [case.numbers[name] for case in read_cases(run / "cases.csv") if case.part == "test"]
    assert scores["part"] == "test"
    assert scores[name]["value"] == pytest.approx(fmean(tested))


def test_a_run_says_what_it_took(trained):
    _, best = trained("segmenter")
    took = read_summary(best.parent.parent / "summary.json")
    assert took.finished
    assert took.epochs == 1
    assert took.seconds > 0
    assert took.peak_memory_mb > 50
    assert took.parameters > 1000


def test_the_rows_of_the_other_part_stay(tmp_path):
    path = tmp_path / "cases.csv"
    write_cases(path, [ScoredCase("val", "a", "a", {"dice/brain": 0.5})])
    write_cases(path, [ScoredCase("test", "b", "b", {"dice/brain": 0.75})])
    write_cases(path, [ScoredCase("val", "c", "c", {"dice/brain": 1 / 3})])
    assert [(one.part, one.case, one.numbers) for one in read_cases(path)] == [
        ("test", "b", {"dice/brain": 0.75}),
        ("val", "c", {"dice/brain": 1 / 3}),
    ]
