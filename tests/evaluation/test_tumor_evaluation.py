"""`brainseg evaluate --task segment` on phantoms whose guesses are changed truths."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config.choices import PROTOCOLS
from brainseg.config.errors import ConfigError, DataError, UserError
from brainseg.evaluation.tumors import (
    ScoredCase,
    _suspicions,
    evaluate_tumors,
    write_tumor_evaluation,
)
from brainseg.images.labels import CONVENTIONS, from_classes, to_classes
from brainseg.images.nifti import read_labels, write
from brainseg.images.volume import Grid
from brainseg.metrics import case_scores
from brainseg.metrics.summary import summarised
from brainseg.phantom import write_cohort

TRUE = CONVENTIONS["brats-2018"]  # of the phantoms in BraTS's layout


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Four gliomas."""
    root = tmp_path_factory.mktemp("patients") / "brats"
    write_cohort(root, layout="brats", subjects=4, seed=12, spacing_mm=4.0)
    return root


@pytest.fixture
def guessed(patients, tmp_path):
    """Writes each patient's label map, changed, as predict.py would."""

    def make(change, convention=TRUE):
        folder = tmp_path / "guess"
        for path in sorted(patients.rglob("*_seg.nii.gz")):
            name, truth = path.name.removesuffix("_seg.nii.gz"), read_labels(path)
            classes = change(to_classes(truth.data[0], TRUE, path))
            (folder / name).mkdir(parents=True)
            write(
                folder / name / f"{name}_tumor_labels.nii.gz", from_classes(classes, convention), truth.grid
            )
            write(folder / name / f"{name}_brain_mask.nii.gz", classes > 0, truth.grid)  # is not taken for it
        return folder

    return make


def moved(classes):
    return np.roll(classes, 1, axis=0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_truth_itself_is_perfect(protocol, patients, guessed):
    found = evaluate_tumors(patients, guessed(lambda classes: classes), protocol)
    assert len(found.cases) == 4
    assert not found.faults
    assert not found.suspicions
    for name, summary in found.summaries.items():
        perfect = (
            0
            if name.startswith(("hd95", "lesion_hd95", "mean_surface", "lesions_missed", "lesions_made"))
            else 1
        )
        if not name.startswith("lesions_found"):
            assert (summary.mean, summary.low, summary.high, summary.median) == (perfect,) * 4, name
    assert found.summaries["dice/whole_tumor"].n == 4


def test_each_case_is_scored_on_its_own(patients, guessed):
    found = evaluate_tumors(patients, guessed(moved), "brats-legacy")
    dices = []
    for case in found.cases:
        truth = to_classes(read_labels(case.truth).data[0], TRUE, case.truth)
        by_hand = case_scores(truth, moved(truth), (4, 4, 4))
        assert case.scores == pytest.approx(by_hand)
        dices.append(by_hand["dice/whole_tumor"])
    summary = found.summaries["dice/whole_tumor"]
    assert summary.mean == pytest.approx(np.mean(dices))
    assert summary.quartiles == pytest.approx(tuple(np.percentile(dices, (25, 75))))
    assert min(dices) <= summary.low < summary.mean < summary.high <= max(dices)


def test_swapped_labels_are_told(patients, guessed):
    def swapped(classes):
        return np.array([0, 2, 1, 3], np.uint8)[classes]

    found = evaluate_tumors(patients, guessed(swapped), "brats-legacy")
    assert any("necrotic_core and edema look swapped" in said for said in found.suspicions)
    assert found.summaries["dice/whole_tumor"].mean == 1


def test_a_class_that_is_never_predicted_is_told(patients, guessed):
    found = evaluate_tumors(
        patients, guessed(lambda classes: np.where(classes == 3, 1, classes)), "brats-legacy"
    )
    assert found.suspicions[0].startswith("enhancing_tumor occurs in no predicted label map")


def suspicions(**dices):
    """Of cases with these Dice values of the regions, in whose labels nothing is wrong."""
    right = np.diag([9, 9, 9, 9])
    nothing = ScoredCase("", None, None, {"": 0.0}, {}, right)
    return _suspicions([nothing], {f"dice/{region}": summarised(values) for region, values in dices.items()})


def test_a_number_that_was_copied_is_told():
    plain = {
        "whole_tumor": [0.7, 0.8, 0.95],
        "tumor_core": [0.6, 0.7, 0.9],
        "enhancing_tumor": [0.5, 0.6, 0.9],
    }
    assert suspicions(**plain) == []
    (said,) = suspicions(**plain | {"tumor_core": [0.7, 0.8, 0.9]})
    assert said.startswith("dice/tumor_core: mean and median are equal")


def test_a_region_below_one_that_it_holds_is_told():
    low = {"whole_tumor": [0.3, 0.4, 0.6], "tumor_core": [0.2, 0.3, 0.5], "enhancing_tumor": [0.5, 0.6, 0.9]}
    core, whole = suspicions(**low)
    assert core.startswith("Dice of tumor_core (0.333) is below that of enhancing_tumor (0.667)")
    assert whole.startswith("Dice of whole_tumor (0.433) is below that of enhancing_tumor (0.667)")


def test_a_result_that_does_not_say_what_its_labels_mean_is_a_fault(patients, guessed):
    folder = guessed(moved)
    (sorted(folder.iterdir())[0] / "result.json").write_text("{}")
    found = evaluate_tumors(patients, folder, "brats-legacy")
    assert [bool(case.fault) for case in found.cases] == [True, False, False, False]
    assert "does not say what the labels beside it mean" in found.faults[0].fault


def test_two_label_maps_of_one_patient_are_refused(patients, guessed):
    folder = guessed(moved)
    path = next(folder.rglob("*_tumor_labels.nii.gz"))
    path.with_name(path.name.replace("_tumor_labels", "_seg")).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="both claim to be the label map"):
        evaluate_tumors(patients, folder, "brats-legacy")


def test_a_guess_in_another_convention_says_so_beside_it(patients, guessed):
    """Enhancing tumour is 4 in the truth and 3 in the guess."""
    folder = guessed(lambda classes: classes, CONVENTIONS["brats-2023"])
    without = evaluate_tumors(patients, folder, "brats-legacy")
    assert all("labels 3" in case.fault for case in without.faults)
    for case in folder.iterdir():
        (case / "result.json").write_text(json.dumps({"label_convention": {"name": "brats-2023"}}))
    assert evaluate_tumors(patients, folder, "brats-legacy").summaries["dice/enhancing_tumor"].mean == 1


def test_what_is_missing_or_lies_elsewhere_is_named_and_the_rest_scored(patients, guessed):
    folder = guessed(moved)
    first, second, *_ = sorted(folder.rglob("*_tumor_labels.nii.gz"))
    first.unlink()
    whole = read_labels(second)
    x, y, z = whole.grid.shape
    write(second, whole.data[0][:-1].astype(np.uint8), Grid((x - 1, y, z), whole.grid.affine))
    found = evaluate_tumors(patients, folder, "brats-2023")
    assert [bool(case.fault) for case in found.cases] == [True, True, False, False]
    assert found.cases[0].fault == "nothing was predicted"
    assert "does not lie on the grid" in found.cases[1].fault
    assert found.summaries["lesion_dice/whole_tumor"].n == 2


def test_the_files_hold_what_was_counted(patients, guessed, tmp_path):
    folder = guessed(lambda classes: np.zeros_like(classes))
    found = evaluate_tumors(patients, folder, "brats-2026")
    write_tumor_evaluation(found, tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert [row["protocol"] for row in rows] == ["brats-2026"] * 4
    assert {row["lesion_dice/whole_tumor"] for row in rows} == {"0.0"}
    lesions = list(csv.DictReader((tmp_path / "out" / "lesions.csv").open()))
    assert {row["kind"] for row in lesions} == {"missed"}
    content = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert content["protocol"] == "brats-2026"
    assert content["summaries"]["hd95_mm/whole_tumor"]["mean"] == "infinite"  # strict JSON has no such number
    assert content["cases"][0]["lesion_f1/whole_tumor"] == 0


def test_the_command_names_the_protocol_and_ends_with_the_number_of_faults(patients, guessed, tmp_path):
    folder = guessed(moved)
    next(folder.rglob("*_tumor_labels.nii.gz")).unlink()
    words = ["evaluate", str(patients), str(folder), "--task", "segment", "--protocol", "brats-2023"]
    said = CliRunner().invoke(app, [*words, "--output", str(tmp_path / "out")])
    assert said.exit_code == 1
    assert "brats-2023" in said.output
    assert "lesion dice/whole tumor" in said.output
    assert (tmp_path / "out" / "lesions.csv").is_file()


def test_two_files_and_folders_of_label_maps_alone(patients, guessed, tmp_path):
    truths = sorted(patients.rglob("*_seg.nii.gz"))
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in truths:
        (alone / path.name).write_bytes(path.read_bytes())
    one = evaluate_tumors(truths[0], alone / truths[0].name, "brats-legacy", "brats-2018")
    assert one.cases[0].scores["dice/whole_tumor"] == 1
    assert len(evaluate_tumors(alone, guessed(moved), "brats-legacy", "brats-2018").cases) == 4


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (DataError, "no such file or folder", lambda t, g: (t / "nowhere", g, "auto")),
        (
            UserError,
            "give two masks or two folders",
            lambda t, g: (t, next(g.rglob("*labels.nii.gz")), "auto"),
        ),
        (ConfigError, "labels must be auto or one of", lambda t, g: (t, g, "brats")),
    ],
)
def test_what_cannot_be_compared_is_said(error, message, change, patients, guessed):
    truth, guess, labels = change(patients, guessed(moved))
    with pytest.raises(error, match=message):
        evaluate_tumors(truth, guess, "brats-legacy", labels)


def test_infinite_distances_have_medians_and_undefined_scores_are_left_out():
    inf, nan = float("inf"), float("nan")
    summary = summarised([1.0, 2.0, 3.0, inf, inf, nan])
    assert (summary.n, summary.mean, summary.median) == (5, inf, 3.0)
    assert summary.quartiles == (2.0, inf)
    assert summarised([inf, inf]).median == inf
    assert summarised([nan]).n == 0
