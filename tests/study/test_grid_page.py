"""A sweep folder as Hydra and our runs leave it, made by hand, and the page made of it."""

import csv
import json
import os
import re

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from brainseg.commands import cli
from brainseg.config.errors import UserError
from brainseg.study.classifier_files import read_predictions
from brainseg.study.grid import sections
from brainseg.study.grid.cell_runs import State, read_cell_run
from brainseg.study.grid.intervals import wilson
from brainseg.study.grid.page import write_grid_page
from brainseg.study.grid.results import by_accuracy, by_loss, crossentropy_against_kl, results_of
from brainseg.study.grid.sweep import read_sweep
from brainseg.study.published import Cell

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]
VAL = ["glioma"] * 2 + ["meningioma"] * 2 + ["notumor"] * 4 + ["pituitary"] * 2  # largest share 0.4
CCE, KL, HINGE = "categorical_crossentropy", "kl_divergence", "categorical_hinge"


def config(backbone="vgg16", loss=CCE, optimizer="adam", seed=0, epochs=2, test=True):
    """What of a stored config is read; the rest of a real one does not matter here."""
    return {
        "task": "classifier",
        "seed": seed,
        "test": test,
        "classifier": {
            "backbone": backbone,
            "loss": loss,
            "optimizer": optimizer,
            "head": "linear",
            "pretrained": False,
            "weights": None,
            "epochs": epochs,
            "batch_size": 2,
            "preprocess": {"size": 64, "normalise": "${menu.keras.${classifier.backbone}.normalise}"},
        },
        "menu": {"keras": {backbone: {"normalise": "caffe"}}},
        "data": {"_target_": "brainseg.data.KaggleSlices"},
        "trainer": {"max_epochs": "${${task}.epochs}"},
        "paths": {"run": "${hydra:runtime.output_dir}"},  # nobody can fill this in afterwards
    }


def write_multirun(folder, *words, params=None, sweeper="basic_sweeper.BasicSweeper", launcher="Basic"):
    hydra = {
        "sweeper": {"_target_": f"hydra._internal.core_plugins.{sweeper}", "params": params},
        "launcher": {"_target_": f"hydra._internal.core_plugins.launcher.{launcher}Launcher"},
        "overrides": {"task": list(words)},
    }
    folder.mkdir(exist_ok=True)
    (folder / "multirun.yaml").write_text(yaml.safe_dump({**config(), "hydra": hydra}))


def write_run(folder, overrides, accuracies=(), losses=(), *, done=True, guesses=None, **settings):
    """A run with an accuracy and a loss of the validation part for each epoch."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config(**settings)))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    split = {
        "train": ["Training/glioma/t.jpg"] * 40,
        "val": [f"Training/{name}/v{i}.jpg" for i, name in enumerate(VAL)],
    }
    (folder / "split.json").write_text(json.dumps({**split, "test": []}))
    with (folder / "metrics.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "step", "train/loss", "val/accuracy", "val/loss"])
        for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True)):
            table.writerow([epoch, epoch, "", np.float32(accuracy), loss])
            table.writerow([epoch, epoch, 1.0, "", ""])
    if guesses is not None:
        write_predictions(folder / "predictions.csv", guesses)
    if done:
        (folder / "scores.json").write_text(json.dumps({"part": "val", "accuracy": {"value": 0.5}}))


def write_predictions(path, guesses):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "part", "truth", *CLASSES])
        for truth, guess in zip(VAL, guesses, strict=True):
            table.writerow(["a.jpg", "val", truth, *(0.7 if name == guess else 0.1 for name in CLASSES)])


# Accuracy after the last of two epochs for seeds 0 and 1; None: not finished; nothing: not started.
ACCURACIES = {
    ("vgg16", CCE): (0.9, 0.8),
    ("vgg16", KL): (0.8, 0.8),
    ("vgg16", HINGE): (0.4, None),
    ("resnet50", CCE): (1.0, 0.9),
    ("resnet50", KL): (0.9, 0.9),
    ("resnet50", HINGE): (None,),
}
LOSSES = {CCE: 0.5, KL: 0.4, HINGE: 0.1}


@pytest.fixture
def folder(tmp_path):
    """2 backbones x 3 losses x 2 seeds with Adam: 12 jobs, 9 done, 1 failed, 1 goes on, 1 to come."""
    sweep = tmp_path / "sweep"
    write_multirun(
        sweep,
        "classifier.epochs=2",
        "seed=0,1",
        params={"classifier.backbone": "vgg16,resnet50", "classifier.loss": f"{CCE},{KL},{HINGE}"},
    )
    job = 0
    for (backbone, loss), accuracies in ACCURACIES.items():
        for seed, accuracy in enumerate(accuracies):
            overrides = [f"classifier.backbone={backbone}", f"classifier.loss={loss}"]
            overrides += ["classifier.epochs=2", f"seed={seed}"]
            done = accuracy is not None
            values = ((1.0, accuracy), (1.0, LOSSES[loss])) if done else ((0.3,), (1.0,))
            guesses = ["glioma"] * 4 + ["notumor"] * 6 if done else None  # 2 and 4 of 10 right
            run = sweep / f"{job}_run"
            write_run(
                run, overrides, *values, done=done, guesses=guesses, backbone=backbone, loss=loss, seed=seed
            )
            os.utime(run / ".hydra" / "config.yaml", (1000 + job, 1000 + job))
            job += 1
    return sweep


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch, request):
    """Figures are drawn but not made into pixels, which takes most of a page's time."""
    if "real_pictures" not in request.fixturenames:
        monkeypatch.setattr(sections, "inline_figure", lambda figure: "data:,")


@pytest.fixture
def real_pictures():
    pass


def results(folder):
    return {result.cell: result for result in results_of(read_sweep(folder).runs)}


def test_jobs_are_those_that_hydra_makes_of_the_same_words(folder):
    sweep = read_sweep(folder)
    assert sweep.n_asked == len(sweep.runs) == 12
    assert {state: sweep.count(state) for state in State} == {
        State.done: 9, State.failed: 1, State.unfinished: 1, State.not_started: 1
    }  # fmt: skip
    assert (sweep.runs[5].cell, sweep.runs[5].seed) == (("vgg16", HINGE, "adam"), 1)
    assert sweep.runs[5].state is State.failed  # a later job was started
    assert sweep.runs[10].state is State.unfinished
    assert (sweep.runs[11].cell, sweep.runs[11].seed) == (("resnet50", HINGE, "adam"), 1)
    assert sweep.runs[11].state is State.not_started
    assert sweep.remarks == ()


def test_where_jobs_run_side_by_side_none_is_said_to_have_failed(folder):
    write_multirun(folder, "classifier.backbone=vgg16,resnet50", launcher="Joblib")
    assert read_sweep(folder).count(State.failed) == 0


def test_an_unfinished_job_that_was_started_again_may_be_running(folder):
    os.utime(folder / "5_run" / ".hydra" / "config.yaml", (9000, 9000))
    assert read_sweep(folder).runs[5].state is State.unfinished


def test_runs_that_the_sweep_did_not_ask_for_are_shown_and_told(folder):
    write_run(folder / "extra", ["seed=7"], (0.5, 0.6), (1.0, 0.9), seed=7)
    sweep = read_sweep(folder)
    assert (len(sweep.runs), sweep.n_asked) == (13, 12)
    assert sweep.remarks == ("Runs in this folder that the sweep's last start did not ask for: 1",)


def test_a_sweeper_that_chooses_as_it_goes_has_no_number_of_jobs(folder):
    write_multirun(folder, sweeper="optuna.OptunaSweeper")
    sweep = read_sweep(folder)
    assert (len(sweep.runs), sweep.n_asked) == (11, None)


def test_the_cell_is_read_from_the_config_and_not_from_the_folders_name(tmp_path):
    write_run(tmp_path / "vgg16-mse-sgd", [], backbone="test_resnet", loss=KL, optimizer="nadam", seed=3)
    run = read_cell_run(tmp_path / "vgg16-mse-sgd")
    assert (run.cell, run.seed) == (("test_resnet", KL, "nadam"), 3)
    assert run.settings["input values"] == "caffe"  # an interpolation in the stored config
    assert run.settings["training slices"] == "40 of 50"


def test_numbers_are_of_the_last_epoch_and_the_best_one_is_told_apart(folder):
    run = read_cell_run(folder / "0_run")
    assert (run.last_epoch, run.best_epoch) == (1, 0)
    assert (run.accuracy, run.loss, run.best_accuracy) == pytest.approx((0.9, 0.5, 1.0))
    assert run.count == (9, 10)
    assert run.scored == "val: 0.5000"


def test_what_is_scored_after_training_is_no_epoch(folder):
    with (folder / "0_run" / "metrics.csv").open("a") as file:
        file.write("2,2,,0.2,9.0\n")  # trainer.validate of the best checkpoint, as Lightning logs it
    assert read_cell_run(folder / "0_run").accuracy == pytest.approx(0.9)


def test_a_loss_that_is_not_finite_hides_no_epoch(tmp_path):
    write_run(tmp_path / "run", [], (0.9, 0.3), (0.5, "nan"))
    text = (tmp_path / "run" / "metrics.csv").read_text().replace("1,1,1.0,,", "1,1,nan,,")
    (tmp_path / "run" / "metrics.csv").write_text(text)
    run = read_cell_run(tmp_path / "run")
    assert run.accuracy == pytest.approx(0.3)
    assert run.loss is None
    (result,) = results_of([run])
    assert result.loss is None
    assert result.accuracy.mean == pytest.approx(0.3)


def test_a_count_that_is_no_whole_number_gives_no_interval(tmp_path):
    write_run(tmp_path / "run", [], (0.85,), (0.5,), epochs=1)  # 8.5 of 10: not all slices were validated
    (result,) = results_of([read_cell_run(tmp_path / "run")])
    assert result.accuracy.low is None


@pytest.mark.parametrize(
    ("accuracy", "guesses", "collapsed"),
    [
        (0.4, None, True),  # the share of notumor
        (0.42, None, True),  # and 0.02 more
        (0.5, None, False),
        (0.5, ["glioma"] * 10, True),
        (0.5, ["glioma"] * 9 + ["notumor"], False),
    ],
)
def test_a_run_that_knows_one_class_only_is_collapsed(tmp_path, accuracy, guesses, collapsed):
    write_run(tmp_path / "run", [], (accuracy,), (1.0,), guesses=guesses, epochs=1)
    assert (read_cell_run(tmp_path / "run").collapse is not None) == collapsed


def test_a_run_without_a_test_is_done_after_its_last_epoch(tmp_path):
    write_run(tmp_path / "whole", [], (0.5, 0.6), (1.0, 1.0), done=False, test=False)
    write_run(tmp_path / "half", [], (0.5,), (1.0,), done=False, test=False)
    assert read_cell_run(tmp_path / "whole").state is State.done
    assert read_cell_run(tmp_path / "half").state is State.unfinished


def test_a_run_that_was_cut_short_says_so(tmp_path):
    write_run(tmp_path / "run", [], (0.5,), (1.0,), epochs=15)
    (fault,) = read_cell_run(tmp_path / "run").faults
    assert fault.endswith("its numbers are of 1 of 15 epochs")


def test_half_a_line_of_metrics_is_no_fault_while_a_run_goes_on(folder):
    with (folder / "10_run" / "metrics.csv").open("a") as file:
        file.write("1,1,0.0e-")
    assert read_cell_run(folder / "10_run").faults == ()
    with (folder / "0_run" / "metrics.csv").open("a") as file:
        file.write("1,1,0.0e-")
    (fault,) = read_cell_run(folder / "0_run").faults
    assert "metrics.csv: cannot be read" in fault
    assert "1 done but without val/accuracy" in results(folder)["vgg16", CCE, "adam"].missing


def test_one_bad_folder_does_not_take_the_page_down(folder):
    (folder / "0_run" / ".hydra" / "config.yaml").write_text("a: [")
    (folder / "1_run" / "predictions.csv").write_text("file,guess\na.jpg,glioma\n")
    sweep = read_sweep(folder)
    assert len(sweep.remarks) == 2
    assert "0_run/.hydra/config.yaml: cannot be read" in sweep.remarks[0]
    assert "predictions.csv: needs file, part, truth and a column" in sweep.remarks[1]
    write_grid_page(folder)


def test_the_confusion_matrix_has_the_truth_down(tmp_path):
    write_predictions(tmp_path / "predictions.csv", ["glioma"] * 4 + ["notumor"] * 6)
    predictions = read_predictions(tmp_path / "predictions.csv")
    assert predictions.part == "val"
    assert predictions.confusion().tolist() == [[2, 0, 0, 0], [2, 0, 0, 0], [0, 0, 4, 0], [0, 0, 2, 0]]


def test_a_cell_is_the_mean_of_its_seeds(folder):
    found = results(folder)
    seeds_differ = found["vgg16", CCE, "adam"].accuracy
    assert seeds_differ.mean == pytest.approx(0.85)
    assert seeds_differ.how == "t, n = 2"
    seeds_agree = found["vgg16", KL, "adam"].accuracy
    assert (seeds_agree.low, seeds_agree.high) == wilson(8, 10)
    one_seed = found["vgg16", HINGE, "adam"]
    assert (one_seed.accuracy.low, one_seed.accuracy.high) == wilson(4, 10)
    assert (one_seed.missing, one_seed.n_collapsed) == ("1 failed", 1)
    assert found["resnet50", HINGE, "adam"].accuracy is None
    assert found["resnet50", HINGE, "adam"].missing == "1 running or failed, 1 not started"


def test_cells_stand_in_the_student_reports_order(folder):
    assert [cell[:2] for cell in results(folder)] == [
        ("resnet50", CCE), ("resnet50", KL), ("resnet50", HINGE),
        ("vgg16", CCE), ("vgg16", KL), ("vgg16", HINGE),
    ]  # fmt: skip


def test_the_ranking_marks_what_cannot_be_told_from_the_best(folder):
    ranking = by_accuracy(results(folder).values())
    said = [(r.place, r.result.cell.backbone, r.result.cell.loss, r.like_best) for r in ranking]
    # Intervals: .95 -+ .64; 18 of 20: .70 to .97; .85 -+ .64; 16 of 20: .58 to .92; 4 of 10: .17 to .69.
    assert said == [
        (1, "resnet50", CCE, True),
        (2, "resnet50", KL, True),
        (3, "vgg16", CCE, True),
        (4, "vgg16", KL, True),
        (5, "vgg16", HINGE, True),
    ]


def test_a_cell_whose_interval_lies_below_the_bests_is_told_apart(tmp_path):
    for name, loss, accuracy in (("a", CCE, 1.0), ("b", KL, 0.4), ("c", HINGE, 0.4)):
        write_run(tmp_path / name, [], (accuracy,), (1.0,), epochs=1, loss=loss)
    ranking = by_accuracy(results_of([read_cell_run(tmp_path / name) for name in "abc"]))
    # 10 of 10 begins at 0.72, 4 of 10 ends at 0.69; equal cells share a place.
    assert [(r.place, r.like_best) for r in ranking] == [(1, True), (2, False), (2, False)]


def test_losses_are_ranked_within_their_family_only(folder):
    rankings = by_loss(results(folder).values())
    assert {name: [r.result.cell.loss for r in ranking] for name, ranking in rankings.items()} == {
        "crossentropy and KL divergence": [KL, KL, CCE, CCE],
        "categorical hinge": [HINGE],  # 0.1, less than any other and yet first of its own only
    }


def test_crossentropy_and_kl_are_paired_by_backbone_optimizer_and_seed(folder):
    paired = crossentropy_against_kl(read_sweep(folder).runs)
    # Of vgg16 0.1 and 0, of resnet50 0.1 and 0: mean 0.05, deviation 0.0577, t(0.975, 3) = 3.1824.
    assert paired.n == 4
    assert paired.accuracy.mean == pytest.approx(0.05)
    assert paired.accuracy.high - paired.accuracy.mean == pytest.approx(3.1824 * 0.057735 / 2, abs=1e-4)
    assert paired.loss.mean == pytest.approx(0.1)


def test_what_else_a_sweep_varies_is_told_and_paired_by(tmp_path):
    sweep = tmp_path / "sweep"
    write_multirun(sweep, f"classifier.loss={CCE},{KL}", "data.fold=0,1")
    accuracies = {(CCE, 0): 0.9, (CCE, 1): 0.7, (KL, 0): 0.8, (KL, 1): 0.5}
    for (loss, fold), accuracy in accuracies.items():
        overrides = [f"classifier.loss={loss}", f"data.fold={fold}"]
        write_run(sweep / f"{loss}_{fold}", overrides, (accuracy,), (1.0,), loss=loss, epochs=1)
    runs = read_sweep(sweep).runs
    assert [run.varied for run in runs] == ["data.fold=0", "data.fold=1"] * 2
    assert crossentropy_against_kl(runs).accuracy.mean == pytest.approx((0.1 + 0.2) / 2)


def test_only_seeds_are_pooled_and_a_slice_that_two_runs_share_counts_once(tmp_path):
    sweep = tmp_path / "sweep"
    write_multirun(sweep, "menu.optimizer.adam.lr=0.1,0.01", "seed=0,1")
    for rate, accuracy in (("0.1", 0.9), ("0.01", 0.6)):
        for seed in (0, 1):
            overrides = [f"menu.optimizer.adam.lr={rate}", f"seed={seed}"]
            write_run(sweep / f"{rate}_{seed}", overrides, (accuracy,), (1.0,), seed=seed, epochs=1)
    slow, fast = sorted(results_of(read_sweep(sweep).runs), key=lambda result: result.accuracy.mean)
    assert (slow.varied, len(slow.runs)) == ("menu.optimizer.adam.lr=0.01", 2)
    assert (fast.accuracy.mean, fast.accuracy.how) == (pytest.approx(0.9), "Wilson, 9 of 10")
    markdown = page_of(sweep)[2]
    assert all(f"menu.optimizer.adam.lr={rate}" in markdown for rate in ("0.1", "0.01"))
    rows = list(csv.DictReader((sweep / "report" / "grid.csv").open()))
    assert [(row["varied"][-4:].lstrip("="), row["runs_done"]) for row in rows] == [
        ("0.1", "2"),
        ("0.01", "2"),
    ]


def page_of(folder, **options):
    page = write_grid_page(folder, **options)
    return page, page.path.read_text(), page.path.with_suffix(".md").read_text()


def row_of(markdown, *words):
    rows = [line for line in markdown.splitlines() if line.startswith("|") and all(w in line for w in words)]
    assert len(rows) == 1, rows
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_tables_have_our_numbers_with_the_student_reports_beside(folder):
    _, html, markdown = page_of(folder)
    table = markdown.split("**Table 1: Optimizer Adam**")[1].split("**")[0:99]
    row = row_of("**".join(table).split("## Ranking")[0], "| vgg16 ")
    assert row[1] == "0.5000 (student report 0.1920)"
    assert row[2] == "0.8500 (0.2147 to 1.0000; student report 0.9746, its best)"
    assert row[3] == "**0.4000** (student report 0.2345)"  # the least of its family, as resnet50's is
    assert row[5] == "**0.1000** (1 failed; student report 1.0000)"
    assert (
        row[6] == "0.4000 (0.1682 to 0.6873; collapsed: 1 of 1; 1 failed; student report 0.2703, collapsed)"
    )
    best = row_of("**".join(table).split("## Ranking")[0], "| resnet50 ")
    assert best[2].startswith("**0.9500**")
    assert best[6] == "no result (1 running or failed, 1 not started; student report 0.8643)"
    assert "student report 0.9746, its best" in html
    assert "Table 2" not in markdown  # of optimizers that the sweep has not


def test_the_page_says_what_is_missing_and_that_the_grid_is_not_the_student_reports(folder):
    page, _, markdown = page_of(folder)
    jobs, best = page.lines
    assert jobs == f"{folder}: 9 of 12 jobs done, 1 failed, 1 running or failed, 1 not started"
    assert best.startswith("best cell by accuracy: resnet50 + categorical_crossentropy + adam, 0.9500")
    assert "the intervals of 4 of the 4 others overlap it" in best
    assert "5 of the student report's 36 cells have a result here" in markdown
    said = "image side (pixels), weights at the start, epochs, training slices differ"
    assert f"This is not the student report's grid: {said}." in markdown
    assert row_of(markdown, "image side (pixels)")[1:] == ["64", "128"]
    failed = row_of(markdown, "| failed ", "seed 1 (1 of 2 epochs")
    assert failed[:2] == ["failed", "1"]
    assert row_of(markdown, "| not started ", "resnet50 + categorical_hinge + adam, seed 1")[1] == "1"


def test_the_csv_has_a_row_for_each_cell(folder):
    write_grid_page(folder)
    with (folder / "report" / "grid.csv").open(newline="") as file:
        rows = {(row["backbone"], row["loss"]): row for row in csv.DictReader(file)}
    assert len(rows) == 6
    row = rows["vgg16", CCE]
    assert float(row["val_accuracy"]) == pytest.approx(0.85)
    assert float(row["val_accuracy_best_epoch"]) == 1.0
    assert (row["place"], row["like_best"], row["report_accuracy"], row["report_place"]) == (
        "3", "True", "0.9746", "1"
    )  # fmt: skip
    assert rows["resnet50", HINGE]["val_accuracy"] == ""
    assert rows["resnet50", HINGE]["missing"] == "1 running or failed, 1 not started"


def test_the_page_needs_no_network_and_no_script(folder, real_pictures):
    _, html, _ = page_of(folder)
    sources = re.findall(r'src="([^"]{,22})', html)
    assert len(sources) == 3 + 2 * 2  # box plots; curves and confusion matrix of both seeds of the best cell
    assert set(sources) == {"data:image/png;base64,"}
    assert "<script" not in html


def test_another_cells_curves_can_be_asked_for(folder):
    _, _, markdown = page_of(folder, cell=f"vgg16,{HINGE},adam")
    assert f"The cell is vgg16 + {HINGE} + adam, accuracy 0.4000" in markdown
    assert "No confusion matrix of seed 1: the run has no predictions.csv." in markdown


def test_a_cell_that_the_sweep_has_not_is_answered_with_those_it_has(folder):
    with pytest.raises(
        UserError, match=r"vgg19,mse,adam is not a cell of this sweep.*backbone resnet50, vgg16; loss"
    ):
        write_grid_page(folder, cell="vgg19,mse,adam")


def test_a_sweep_without_a_result_has_a_page(tmp_path):
    write_multirun(tmp_path / "sweep", "classifier.optimizer=adam,sgd")
    page, _, markdown = page_of(tmp_path / "sweep", output=tmp_path / "out")
    assert page.path == tmp_path / "out" / "grid.html"
    assert page.lines[0] == f"{tmp_path / 'sweep'}: 0 of 2 jobs done, 2 not started"
    assert "not started (student report 0.9746, its best)" in markdown
    assert "No cell has a result yet." in markdown


def test_names_of_timm_and_other_optimizers_have_their_place(tmp_path):
    sweep = tmp_path / "sweep"
    write_multirun(sweep, "classifier.backbone=mobilenetv2_100,test_resnet", "classifier.optimizer=adamw,sgd")
    overrides = ["classifier.backbone=mobilenetv2_100", "classifier.optimizer=sgd"]
    write_run(sweep / "0", overrides, (0.5, 0.9), (1, 1), backbone="mobilenetv2_100", optimizer="sgd")
    _, _, markdown = page_of(sweep)
    assert "**Table 3: Optimizer SGD**" in markdown
    assert "**Optimizer adamw**" in markdown
    assert "mobilenetv2_100 (MobileNetV2)" in markdown
    assert "test_resnet (not in the student report)" in markdown
    assert "0.9000** (0.5958 to 0.9821; student report 0.8748)" in markdown


def test_the_repeated_failure_stands_beside(folder, tmp_path):
    failure = tmp_path / "failure"
    write_run(failure, [], (0.4,), (1.3,), epochs=1, backbone="efficientnet_b0", optimizer="nadam")
    _, _, markdown = page_of(folder, failure=failure)
    row = row_of(markdown, "efficientnet_b0 + categorical_crossentropy + nadam")
    assert row[:4] == [f"efficientnet_b0 + {CCE} + nadam", "caffe", "0", "done"]
    assert row[4:] == [
        "1.0000", "0.4000 (4 of 10; 0.1682 to 0.6873)", "the largest class has 40.0%", "\N{EN DASH}", "0.4033"
    ]  # fmt: skip
    with pytest.raises(UserError, match="no run of the classifier there"):
        write_grid_page(folder, failure=tmp_path / "nothing")


def test_a_hostile_name_is_only_a_name(tmp_path):
    sweep = tmp_path / "<script>alert(1)<"
    hostile = "<img src=x onerror=alert(2)>"
    write_multirun(sweep, f"classifier.backbone='{hostile}'")
    write_run(sweep / "<b>run|", [], (0.5, 0.9), (1.0, 1.0), backbone=hostile)
    _, html, markdown = page_of(sweep)
    for text in (html, markdown):
        assert "<script" not in text
        assert "<img src=x" not in text
        assert "<b>" not in text
    assert "&lt;b&gt;run|" in html
    assert "&lt;b&gt;run\\|" in markdown


@pytest.mark.parametrize("task", ["segmenter", None])
def test_the_sweep_of_another_model_is_refused(folder, task):
    stored = yaml.safe_load((folder / "multirun.yaml").read_text())
    (folder / "multirun.yaml").write_text(yaml.safe_dump({**stored, "task": task}))
    with pytest.raises(UserError, match=r"multirun.yaml is not a config of model=classifier"):
        read_sweep(folder)


def test_the_command_says_jobs_best_cell_and_page(folder):
    done = CliRunner().invoke(cli.app, ["report", "grid", str(folder)])
    assert done.exit_code == 0, done.output
    jobs, best, page = done.stdout.splitlines()
    assert jobs == f"{folder}: 9 of 12 jobs done, 1 failed, 1 running or failed, 1 not started"
    assert best.startswith("best cell by accuracy: resnet50")
    assert page == f"page: {folder}/report/grid.html"
    assert sorted(file.name for file in (folder / "report").iterdir()) == ["grid.csv", "grid.html", "grid.md"]


def test_a_folder_that_is_no_sweep_is_answered_in_one_line(tmp_path):
    done = CliRunner().invoke(cli.app, ["report", "grid", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {tmp_path}/multirun.yaml is not there; give the folder of a sweep")
    assert len(done.stderr.splitlines()) == 1


def test_a_cell_reads_as_a_sum():
    assert str(Cell("vgg16", "kl_divergence", "sgd")) == "vgg16 + kl_divergence + sgd"
