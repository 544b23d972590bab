"""Runs side by side: made by hand, with scores that are known, and one that is trained."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from brainseg.commands import cli
from brainseg.compare import page as page_module
from brainseg.compare.along import lines_along
from brainseg.compare.page import write_comparison
from brainseg.compare.runs import State, read_runs
from brainseg.compare.settings import compared
from brainseg.config.errors import UserError
from brainseg.files.typed import to_plain
from brainseg.metrics.cases import mean_interval, paired_difference
from brainseg.runs.cases import ScoredCase, write_cases
from brainseg.runs.differences import differing, pooled, read_settings
from brainseg.sweeps.job import Job, Metric, Process
from brainseg.sweeps.job import State as JobState

CASES = [f"case_{i}" for i in range(12)]
EASE = np.linspace(0.3, 0.9, len(CASES))  # cases differ much more than models


def config(seed=0, lr=0.001, loss="dice_ce", data_seed="${seed}", epochs=2, task="segmenter", **data):
    start = data.pop("start_from", None)
    return {
        "start_from": start,
        "task": task,
        "name": f"a name for {lr} and {seed}",
        "seed": seed,
        task: {
            "loss": loss,
            "optimizer": "adamw",
            "scheduler": "constant",
            "epochs": epochs,
            "monitor": "val/dice/mean",
            "monitor_mode": "max",
        },
        "data": {"_target_": "brainseg.data.BraTSVolumes", "seed": data_seed, "workers": "auto", "fold": 0}
        | data,
        "menu": {"optimizer": {"adamw": {"lr": lr}, "sgd": {"lr": lr / 10}}},
        "trainer": {"max_epochs": "${${task}.epochs}", "default_root_dir": "${paths.run}"},
        "paths": {"run": "${hydra:runtime.output_dir}"},
    }


def write_run(folder, dice, cases=CASES, *, seconds=60.0, finished=True, epochs=2, **values):
    """A run whose best epoch, of two, had this mean Dice; each case its own ease."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config(**values)))
    scores = [ease - EASE.mean() + dice for ease in EASE[: len(cases)]]
    with (folder / "metrics.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "step", "train/loss", "val/loss", "val/dice/mean"])
        for epoch in range(epochs):
            table.writerow([epoch, epoch, "", 1.0, dice - 0.1 * (1 - epoch)])
            table.writerow([epoch, epoch, 0.9, "", ""])
    if cases:
        rows = [
            ScoredCase("val", name, name, {"dice/mean": s}) for name, s in zip(cases, scores, strict=True)
        ]
        write_cases(folder / "cases.csv", rows)
    summary = {"schema": 1, "finished": finished, "epochs": epochs, "seconds": seconds}
    summary |= {"peak_memory_mb": 500.0, "gpu_memory_mb": None, "parameters": 1234567}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    monkeypatch.setattr(page_module, "inline_figure", lambda figure: "data:,")


@pytest.fixture
def sweep(tmp_path):
    """Two learning rates by two seeds on the same validation cases, one run that was killed."""
    for lr, seed, dice in ((0.001, 0, 0.8), (0.001, 1, 0.82), (0.01, 0, 0.7), (0.01, 1, 0.72)):
        write_run(tmp_path / f"{lr}_{seed}", dice, lr=lr, seed=seed)
    write_run(tmp_path / "0.1_0", 0.9, lr=0.1, finished=False, epochs=1)
    return tmp_path


def test_only_the_keys_that_differ_are_columns_and_what_follows_or_is_not_chosen_is_none(sweep):
    settings = [read_settings(run / ".hydra" / "config.yaml") for run in sorted(sweep.iterdir())]
    assert differing(settings) == ["seed", "menu.optimizer.adamw.lr"]


def test_seeds_are_pooled_only_where_nothing_else_differs(sweep):
    comparison = compared(read_runs([sweep])[0])
    assert [(one.name, len(one.runs)) for one in comparison.settings] == [
        ("menu.optimizer.adamw.lr=0.001", 2),
        ("menu.optimizer.adamw.lr=0.01", 2),
        ("menu.optimizer.adamw.lr=0.1", 1),
    ]
    assert pooled([{"seed": 0, "lr": 1}, {"seed": 1, "lr": 1}, {"seed": 1, "lr": 2}]) == [[0, 1], [2]]
    assert pooled([{"seed": 0, "fold": 0}, {"seed": 0, "fold": 1}], over=("seed", "fold")) == [[0, 1]]


def test_the_difference_to_the_best_is_paired_where_the_cases_are_the_same(sweep):
    best, second, _ = compared(read_runs([sweep])[0]).settings
    assert best.score.value == pytest.approx(0.81)
    assert best.score.cases == len(CASES)  # of two runs: not 24
    assert second.score.high - second.score.low > 0.15  # cases differ much
    assert second.to_best.value == pytest.approx(-0.1)
    # The models differ by the same in each case: what is left are the runs, 0.02 apart in each setting.
    assert (second.to_best.low, second.to_best.high) == pytest.approx((-0.12, -0.08))
    assert best.to_best is None


def test_a_run_that_did_not_end_is_listed_and_counts_in_no_score(sweep):
    runs = {run.folder.name: run for run in read_runs([sweep])[0]}
    assert runs["0.1_0"].state is State.unfinished
    last = compared(list(runs.values())).settings[-1]
    assert (last.score, last.used) == (None, [])
    job = Job(
        schema=1, state=JobState.failed, attempts=1, started=0.0, updated=0.0, seconds=0.0, epoch=0, epochs=3,
        metric=Metric("val/accuracy", "max", None), error="out of memory", process=Process(1, 0.0, "node"),
        sha256="", settings={},
    )  # fmt: skip
    (sweep / "0.1_0" / "job.json").write_text(json.dumps(to_plain(job)))
    assert {run.state for run in read_runs([sweep])[0]} == {State.done, State.failed}


def test_other_cases_have_no_paired_difference_and_that_is_said(tmp_path):
    write_run(tmp_path / "a", 0.8, lr=0.1)
    write_run(tmp_path / "b", 0.7, [f"other_{i}" for i in range(12)], lr=0.2)
    comparison = compared(read_runs([tmp_path])[0])
    assert comparison.settings[1].to_best is None
    assert "other validation cases" in comparison.remarks[0]


def test_an_old_run_has_its_metric_without_an_interval_and_that_is_said(tmp_path):
    write_run(tmp_path / "a", 0.8, [], lr=0.1)
    (tmp_path / "a" / "summary.json").unlink()
    write_run(tmp_path / "b", 0.7, lr=0.2)
    runs, _ = read_runs([tmp_path])
    comparison = compared(runs)
    assert comparison.settings[0].score.value == pytest.approx(0.8)
    assert comparison.settings[0].score.low is None
    assert runs[0].state is State.done  # all of its epochs are there
    assert any("no dice/mean of single cases" in said for said in comparison.remarks)


def test_page_and_tables_have_each_setting_and_each_run(sweep, tmp_path):
    result = CliRunner().invoke(cli.app, ["compare", str(sweep), "--output", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "5 runs of model=segmenter in 3 settings: 4 done, 1 unfinished" in result.stdout
    assert "best by dice/mean: 0.8100 (" in result.stdout
    rows = list(csv.DictReader((tmp_path / "out" / "compare.csv").open()))
    assert [row["menu.optimizer.adamw.lr"] for row in rows] == ["0.001", "0.01", "0.1"]
    assert float(rows[1]["to_best"]) == pytest.approx(-0.1)
    assert rows[2]["score"] == ""
    runs = list(csv.DictReader((tmp_path / "out" / "compare_runs.csv").open()))
    assert sorted(row["state"] for row in runs) == ["done"] * 4 + ["unfinished"]
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "menu.optimizer.adamw.lr" in page
    assert "segmenter.loss" not in page  # which is the same everywhere
    assert "1,234,567" in page


def test_damage_is_named_and_the_other_runs_are_compared(sweep):
    (sweep / "0.01_0" / "cases.csv").write_text("part,case\nval,a\n")
    (sweep / "0.1_0" / ".hydra" / "config.yaml").write_text("[")
    runs, remarks = read_runs([sweep])
    assert len(runs) == 4
    assert "0.1_0 is left out" in remarks[0]
    assert "cases.csv: cannot be read" in remarks[1]


def test_what_cannot_be_compared_is_one_line(tmp_path):
    write_run(tmp_path / "a", 0.8)
    write_run(tmp_path / "b", 0.8, task="skullstripper")
    with pytest.raises(UserError, match="several models cannot be compared"):
        read_runs([tmp_path])
    with pytest.raises(UserError, match="no run in it"):
        read_runs([tmp_path / "a" / ".hydra"])
    with pytest.raises(UserError, match=r"no run has hd95 .* there is dice/mean, loss"):
        write_comparison([tmp_path / "a"], tmp_path / "out", metric="hd95")


def test_slices_of_one_subject_are_drawn_together():
    cases = {f"{subject}/{i}": float(subject < 5) for subject in range(10) for i in range(20)}
    alone = mean_interval([cases], {})
    together = mean_interval([cases], {case: case.partition("/")[0] for case in cases})
    assert alone.value == together.value == 0.5
    # Ten coins against two hundred: sqrt(20) times as wide.
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(20**0.5, rel=0.15)


def test_the_interval_of_one_run_is_that_of_a_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(0.7, 0.1, 50)
    found = mean_interval([{str(i): v for i, v in enumerate(values)}], {})
    half = 1.96 * values.std(ddof=1) / 50**0.5
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.005)
    assert mean_interval([{"a": 0.5}], {}).low is None
    assert mean_interval([{"a": float("nan")}], {}) is None


def test_several_runs_widen_the_interval_by_their_own_spread():
    one = {str(i): 0.5 + 0.01 * (i % 3) for i in range(60)}
    other = {case: value + 0.2 for case, value in one.items()}
    both = mean_interval([one, other], {})
    assert both.cases == 60
    assert both.low < 0.55
    assert both.high > 0.65
    single = paired_difference([one], [other], {})
    assert (single.low, single.value, single.high) == pytest.approx((-0.2, -0.2, -0.2))
    assert paired_difference([one], [{"a": 1.0}], {}) is None


@pytest.fixture
def learning(tmp_path):
    """Two folds by two numbers of patients, from scratch and from a model that helps few patients."""
    start = "/somewhere/painted/checkpoints/best.ckpt"
    for n, of_scratch, of_start in ((5, 0.6, 0.7), (None, 0.8, 0.81)):
        for fold, names in enumerate((CASES[:6], CASES[6:])):
            for name, dice in ((None, of_scratch), (start, of_start)):
                run = tmp_path / f"{n}_{fold}_{name is not None}"
                write_run(run, dice, names, patients=n, fold=fold, start_from=name)
                (run / "split.json").write_text(
                    json.dumps({"train": [f"p{k}" for k in range(n or 24)], "val": names, "test": []})
                )
    return tmp_path


def test_the_folds_of_a_cross_validation_are_one_run_whose_differences_are_paired(learning):
    comparison = compared(read_runs([learning])[0], over=("seed", "data.fold"))
    assert {one.score.cases for one in comparison.settings} == {len(CASES)}
    best, second = comparison.settings[:2]
    assert second.to_best.cases == len(CASES)
    assert (second.to_best.low, second.to_best.high) == pytest.approx((-0.01, -0.01))
    merged = {name: EASE[:6][k % 6] - EASE.mean() + 0.81 for k, name in enumerate(CASES)}
    whole = mean_interval([merged], {})
    assert (best.score.low, best.score.high) == pytest.approx((whole.low, whole.high))


def test_scores_stand_along_the_number_of_patients_with_what_a_start_gains(learning, tmp_path):
    output = tmp_path / "page"
    page = write_comparison([learning], output, over=("seed", "data.fold"), along="data.patients")
    text = (output / "compare.md").read_text()
    assert "dice/mean by data.patients" in text
    rows = [line for line in text.splitlines() if line.startswith(("| 5  ", "| all (24)"))]
    assert len(rows) == 2
    assert "+0.1000 (+0.1000 to +0.1000)" in rows[0]
    assert "+0.0100 (+0.0100 to +0.0100)" in rows[1]
    assert "start_from=painted/best.ckpt" in text
    assert "only differences can be compared" not in text
    assert (output / "along.png").stat().st_size > 1000
    assert page.path.is_file()


def test_two_starts_of_one_name_stay_two_lines(learning, tmp_path):
    for n, fold, names in ((5, 0, CASES[:6]), (5, 1, CASES[6:])):
        run = write_run(
            learning / f"again_{fold}",
            0.65,
            names,
            patients=n,
            fold=fold,
            start_from="/else/painted/best.ckpt",
        )
        (run / "split.json").write_text(json.dumps({"train": ["a"] * n, "val": names, "test": []}))
    comparison = compared(read_runs([learning])[0], over=("seed", "data.fold"))
    names = [line.name for line in lines_along(comparison, "data.patients")]
    assert names == [
        "start_from=null",
        "start_from=/else/painted/best.ckpt",
        "start_from=/somewhere/painted/checkpoints/best.ckpt",
    ]


def test_a_fold_that_is_missing_is_said_and_differences_are_of_the_cases_that_both_have(learning, tmp_path):
    shutil.rmtree(learning / "5_1_False")
    write_comparison([learning], tmp_path / "page", over=("seed", "data.fold"), along="data.patients")
    text = (tmp_path / "page" / "compare.md").read_text()
    assert "Points are of 6 to 12 cases: only differences can be compared" in text
    assert "+0.1000 (+0.1000 to +0.1000)" in text


def test_a_key_that_does_not_differ_or_has_no_numbers_is_refused(learning, tmp_path):
    with pytest.raises(
        UserError, match=r"do not differ in seed, but in data\.patients, start_from; give one"
    ):
        write_comparison([learning], tmp_path / "a", over=("data.fold",), along="seed")
    with pytest.raises(UserError, match=r"start_from is .*painted.* in some runs, and --along needs numbers"):
        write_comparison([learning], tmp_path / "b", over=("data.fold",), along="start_from")
