"""What label maps mean, where they lie and how they lie: names, values, options, derivatives, turned axes."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

import brainseg
from brainseg.commands.cli import app
from brainseg.config.errors import ConfigError, DataError, LabelError, UserError
from brainseg.evaluation.brains import evaluate_brains
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.images.labels import CONVENTIONS, from_classes
from brainseg.images.nifti import read_labels, write
from brainseg.images.volume import Grid
from brainseg.phantom import write_cohort

GRID = Grid((12, 14, 16), np.diag([-2.0, -2.0, 2.0, 1.0]))


@pytest.fixture
def classes():
    """A tumour of three parts."""
    array = np.zeros(GRID.shape, np.uint8)
    array[3:9, 4:10, 5:11] = 2
    array[4:8, 5:9, 6:10] = 3
    array[5:7, 6:8, 7:9] = 1
    return array


@pytest.fixture
def saved(tmp_path, classes):
    """Writes the tumour in a convention, or a function of its classes."""

    def _saved(name, made="brats-2023", grid=GRID):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        array = from_classes(classes, CONVENTIONS[made]) if isinstance(made, str) else made(classes)
        write(path, array, grid)
        return path

    return _saved


def whole(classes):
    return (classes > 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "convention"),
    [
        ("BraTS-GLI-00005-100-seg.nii.gz", "brats-2023"),
        ("BraTS-MET-00001-000-seg.nii.gz", "brats-2023"),
        ("BraTS20_Training_001_seg.nii.gz", "brats-2018"),
        ("BraTS2021_00002_seg.nii.gz", "brats-2018"),
        ("BRATS_484.nii.gz", "msd-task01"),
    ],
)
def test_the_name_of_a_single_file_says_its_convention(saved, name, convention):
    truth, guess = saved(f"truth/{name}", convention), saved(f"guess/{name}", convention)
    found = evaluate_tumors(truth, guess, "brats-legacy")
    assert {found.summaries[f"dice/{region}"].mean for region in ("tumor_core", "enhancing_tumor")} == {1}
    assert evaluate_tumors(truth.parent, guess.parent, "brats-legacy").summaries == found.summaries


def test_a_folder_of_two_data_sets_is_read_by_both_conventions(saved):
    for place in ("truth", "guess"):
        saved(f"{place}/BraTS-GLI-00005-100-seg.nii.gz", "brats-2023")
        truth = saved(f"{place}/BRATS_484.nii.gz", "msd-task01")
    found = evaluate_tumors(truth.parent.parent / "truth", truth.parent, "brats-legacy")
    assert found.summaries["dice/tumor_core"].n == 2
    assert found.summaries["dice/tumor_core"].mean == 1
    assert not found.suspicions


def test_truth_and_guess_may_follow_two_conventions(saved):
    truth, guess = saved("a.nii.gz", "brats-2018"), saved("b.nii.gz", "msd-task01")
    found = evaluate_tumors(truth, guess, "brats-legacy", "brats-2018", guess_labels="msd-task01")
    assert found.summaries["dice/tumor_core"].mean == 1
    scores = brainseg.evaluate(truth, guess, labels="brats-2018", guess_labels="msd-task01")
    assert scores["dice/enhancing_tumor"] == 1
    words = ["evaluate", str(truth), str(guess), "--task", "segment", "--labels-guess", "msd-task01"]
    said = CliRunner().invoke(app, [*words, "--labels-truth", "brats-2018"])
    assert said.exit_code == 0
    assert "dice/tumor core" in said.output
    with pytest.raises(ConfigError, match="guess_labels must be auto or one of"):
        evaluate_tumors(truth, guess, "brats-legacy", "brats-2018", guess_labels="brats")


def test_one_region_is_scored_where_a_truth_has_one(saved):
    truth = saved("truth.nii.gz", lambda classes: 255 * whole(classes))
    guess = saved("guess.nii.gz", "brats-2018")
    found = evaluate_tumors(truth, guess, "brats-2023", regions=["whole_tumor"])
    assert found.summaries["dice/whole_tumor"].mean == 1
    assert {name.split("/")[1] for name in found.summaries} == {"whole_tumor"}
    assert found.suspicions == []
    assert brainseg.evaluate(truth, guess, regions=["whole_tumor"])["dice/whole_tumor"] == 1
    words = ["evaluate", str(truth), str(guess), "--task", "segment", "--regions", "whole_tumor"]
    assert CliRunner().invoke(app, words).exit_code == 0
    with pytest.raises(ConfigError, match="core is no region; --regions takes some of whole_tumor"):
        evaluate_tumors(truth, guess, "brats-2023", regions=["core"])


def test_the_whole_tumour_of_ambiguous_labels_needs_no_convention_but_a_cavity_does(saved):
    truth = saved("truth.nii.gz", "brats-2023")
    with pytest.raises(LabelError, match="--labels-truth"):
        evaluate_tumors(truth, truth, "brats-legacy")
    assert evaluate_tumors(truth, truth, "brats-legacy", regions=["whole_tumor"]).cases[0].scores
    both = saved("both.nii.gz", lambda classes: np.where(classes == 1, 4, classes).astype(np.uint8))
    with pytest.raises(LabelError, match="resection cavity"):
        evaluate_tumors(both, both, "brats-legacy", regions=["whole_tumor"])


def test_a_truth_of_one_label_is_told_of_the_option(saved):
    truth = saved("truth.nii.gz", whole)
    with pytest.raises(LabelError, match="set --regions whole_tumor"):
        evaluate_tumors(truth, truth, "brats-legacy")


@pytest.mark.parametrize("turns", [[[0, 1], [1, 1], [2, 1]], [[2, -1], [0, 1], [1, -1]]])
def test_a_guess_with_its_axes_turned_is_turned_back(saved, turns, tmp_path):
    truth = saved("BraTS-GLI-1-seg.nii.gz", lambda classes: np.roll(classes, 1, axis=1))
    guess = tmp_path / "guess.nii.gz"
    nib.save(nib.load(truth).as_reoriented(turns), guess)
    assert read_labels(guess).grid.difference(read_labels(truth).grid) or turns[0] == [0, 1]
    assert evaluate_tumors(truth, guess, "brats-legacy").summaries["dice/tumor_core"].mean == 1
    assert evaluate_brains(truth, guess).cases[0].scores["dice"] == 1
    shifted = nib.Nifti1Image(np.asarray(nib.load(guess).dataobj), nib.load(guess).affine.copy())
    shifted.affine[0, 3] += 1
    nib.save(shifted, guess)
    assert "does not lie on the grid" in evaluate_tumors(truth, guess, "brats-legacy").cases[0].fault


def test_a_scan_that_was_taken_for_a_label_map_is_one_short_line(saved):
    scan = saved(
        "scan.nii.gz", lambda classes: np.arange(classes.size, dtype=np.int16).reshape(classes.shape)
    )
    with pytest.raises(LabelError) as caught:
        evaluate_tumors(scan, scan, "brats-legacy")
    assert "5, 6, 7, 8, 9, 10, 11, 12 and 2675 more" in str(caught.value)
    truth = saved("BraTS-GLI-1-seg.nii.gz", "brats-2023")
    fault = evaluate_tumors(truth, scan, "brats-legacy").cases[0].fault
    assert "2676 more" in fault
    assert "--labels-guess" in fault
    assert len(fault) < 500


def test_one_bad_truth_does_not_stop_the_rest(saved):
    for place in ("truth", "guess"):
        for number in (1, 2, 3):
            saved(f"{place}/BraTS-GLI-0000{number}-000-seg.nii.gz", "brats-2023")
    saved("truth/BraTS-GLI-00001-000-seg.nii.gz", lambda classes: classes.astype(np.int16) * 900)
    bad = saved("truth/BraTS-GLI-00002-000-seg.nii.gz")
    bad.write_bytes(bad.read_bytes()[:50])
    found = evaluate_tumors(bad.parent, bad.parent.parent / "guess", "brats-legacy")
    assert [bool(case.fault) for case in found.cases] == [True, True, False]


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Two heads in BIDS, whose truths, if any, do not lie beside them."""
    root = tmp_path_factory.mktemp("bids") / "set"
    write_cohort(root, layout="bids", subjects=2, seed=5, spacing_mm=6.0, types=["glioma", "glioma"])
    return root


def test_truths_in_the_derivatives_of_bids_are_found(patients, tmp_path):
    """The phantoms' lie in derivatives/truth; our own masks beside them are guesses."""
    ours = patients / "derivatives" / "brainseg"
    for path in (patients / "derivatives" / "truth").rglob("sub-*_dseg.nii.gz"):
        truth = read_labels(path)
        name = path.name.removesuffix("_dseg.nii.gz")
        place = ours / name / "anat"
        write(place / f"{name}_desc-tumor_dseg.nii.gz", truth.data[0].astype(np.uint8), truth.grid)
        write(place / f"{name}_desc-brain_mask.nii.gz", truth.data[0] > 0, truth.grid)
        write(place / f"{name}_seg-aparc_dseg.nii.gz", truth.data[0] > 0, truth.grid)  # of the brain
    within = evaluate_tumors(patients, ours, "brats-legacy", "brats-2023")
    assert (within.summaries["dice/tumor_core"].n, within.summaries["dice/tumor_core"].mean) == (2, 1)
    (ours / "dataset_description.json").write_text(json.dumps({"GeneratedBy": [{"Name": "brainseg"}]}))
    guess = tmp_path / "sub-001.nii.gz"
    guess.write_bytes((ours / "sub-001" / "anat" / "sub-001_desc-tumor_dseg.nii.gz").read_bytes())
    found = evaluate_tumors(patients, tmp_path, "brats-legacy", "brats-2023")
    assert [(case.name, bool(case.fault)) for case in found.cases] == [("sub-001", False), ("sub-002", True)]


def test_brain_masks_in_the_derivatives_of_bids_are_found(patients, tmp_path):
    """The phantoms' lie in derivatives/truth."""
    mask = next((patients / "derivatives" / "truth").rglob("sub-001*_desc-brain_mask.nii.gz"))
    (tmp_path / "sub-001_brain_mask.nii.gz").write_bytes(mask.read_bytes())
    found = evaluate_brains(patients, tmp_path)
    assert [case.scores.get("dice") for case in found.cases] == [1, None]
    other = patients / "derivatives" / "other" / "sub-001" / "anat" / mask.name
    other.parent.mkdir(parents=True)
    other.write_bytes(mask.read_bytes())
    with pytest.raises(UserError, match="both claim to be the brain mask of sub-001"):
        evaluate_brains(patients, tmp_path)


def test_scans_without_truths_are_not_taken_for_truths(tmp_path):
    root = tmp_path / "scans"
    write_cohort(root, layout="bids", subjects=1, seed=5, spacing_mm=6.0, types=["notumor"])
    shutil.rmtree(root / "derivatives")
    with pytest.raises(DataError, match=r"no label map .* also in derivatives/"):
        evaluate_tumors(root, root, "brats-legacy")


def test_two_derivatives_that_both_claim_a_truth_are_refused(saved, tmp_path):
    root = tmp_path / "set"
    write_cohort(root, layout="bids", subjects=1, seed=5, spacing_mm=6.0, types=["glioma"])
    saved("set/derivatives/other/sub-001/anat/sub-001_dseg.nii.gz")
    with pytest.raises(UserError, match="both claim to be the label map of sub-001"):
        evaluate_tumors(root, tmp_path, "brats-legacy")
