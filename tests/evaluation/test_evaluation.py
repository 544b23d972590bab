"""`brainseg evaluate` and skullstripper=otsu on phantom heads."""

import csv
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config.errors import DataError, UserError
from brainseg.evaluation.brains import evaluate_brains, median_interval
from brainseg.images.nifti import read, read_labels, write
from brainseg.images.volume import Grid
from brainseg.inference import otsu_brain
from brainseg.phantom import write_cohort
from brainseg.prediction.run import run


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Three heads with brain masks, as NFBS has them."""
    root = tmp_path_factory.mktemp("heads") / "nfbs"
    write_cohort(root, layout="nfbs", subjects=3, seed=8, spacing_mm=4.0)
    return root


def masks(heads):
    return sorted(heads.rglob("*_brainmask.nii.gz"))


def shifted_guesses(heads, folder):
    """Predictions of each head: the true mask moved by one voxel along X."""
    for path in masks(heads):
        truth = read_labels(path)
        name = path.name.removesuffix("_T1w_brainmask.nii.gz")
        (folder / name).mkdir(parents=True)
        moved = np.roll(truth.data[0] > 0, 1, axis=0)
        write(folder / name / f"{name}_brain_mask.nii.gz", moved, truth.grid)
    return folder


def test_each_head_is_scored_on_its_own_and_the_median_stands_below(heads, tmp_path):
    found = evaluate_brains(heads, shifted_guesses(heads, tmp_path / "guess"))
    assert len(found.cases) == 3
    for mask, path in zip(found.cases, masks(heads), strict=True):
        truth = read_labels(path).data[0] > 0
        shared = np.count_nonzero(truth & np.roll(truth, 1, axis=0))
        assert mask.scores["dice"] == pytest.approx(shared / truth.sum())
        assert mask.scores["volume_error"] == 0
        assert 0 < mask.scores["mean_surface_distance_mm"] < 4
        assert mask.scores["hd95_mm"] == 4
    dices = sorted(mask.scores["dice"] for mask in found.cases)
    median, low, high = found.medians["dice"]
    assert (median, low, high) == pytest.approx((dices[1], dices[0], dices[2]))


def test_a_median_s_interval_is_that_of_order_statistics():
    """Of 25 values it reaches about from the 8th to the 18th (binomial, 95 %)."""
    median, low, high = median_interval(np.arange(1, 26))
    assert median == 13
    assert low == pytest.approx(8, abs=1)
    assert high == pytest.approx(18, abs=1)


def test_what_cannot_be_scored_is_named_and_the_rest_is(heads, tmp_path):
    guess = shifted_guesses(heads, tmp_path / "guess")
    first, second, _ = sorted(guess.iterdir())
    shutil.rmtree(first)
    path = next(second.iterdir())
    volume = read_labels(path)
    x, y, z = volume.grid.shape
    write(path, volume.data[0, 1:], Grid((x - 1, y, z), volume.grid.affine))
    done = CliRunner().invoke(app, ["evaluate", str(heads), str(guess), "--output", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert f"{first.name}: no mask was predicted" in done.output
    assert f"{second.name}: {path} does not lie on the grid of" in done.output.replace("\n", "")
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert [bool(row["fault"]) for row in rows] == [True, True, False]
    medians = json.loads((tmp_path / "out" / "scores.json").read_text())["medians"]
    assert medians["dice"]["median"] == pytest.approx(float(rows[2]["dice"]))


def test_two_masks(heads):
    path = masks(heads)[0]
    (mask,) = evaluate_brains(path, path).cases
    assert mask.scores["dice"] == 1
    with pytest.raises(UserError, match=r"is one mask but .* is a folder"):
        evaluate_brains(path, heads)
    with pytest.raises(UserError, match=r"is a folder but .* is one mask"):
        evaluate_brains(heads, path)


def test_scans_without_masks_have_nothing_to_compare(heads, tmp_path):
    shutil.copytree(heads, tmp_path / "bare")
    for path in masks(tmp_path / "bare"):
        path.unlink()
    with pytest.raises(DataError, match="has scans but no brain mask"):
        evaluate_brains(tmp_path / "bare", heads)


def test_a_stripper_of_any_sequence_finds_the_brain_of_a_person_who_moved(options, heads, tmp_path):
    """Two scans of one head on grids of their own; in the second it lies 8 mm aside, which no header says."""
    first = read(next(heads.rglob("*_T1w.nii.gz")))
    moved = np.roll(first.data[0], 2, axis=0)[:, :, 1:]
    grid = Grid(
        moved.shape, first.grid.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    )
    folder = tmp_path / "scans" / "a"
    folder.mkdir(parents=True)
    write(folder / "a_T1w.nii.gz", first.data[0], first.grid)
    write(folder / "a_T2w.nii.gz", moved, grid)
    assert run(options(folder.parent, "skullstripper=otsu", "classifier=null", "segmenter=null")) == 0
    found = tmp_path / "out" / "a"
    mask = read_labels(found / "a_t2_brain_mask.nii.gz").data[0] > 0
    np.testing.assert_array_equal(mask, otsu_brain(moved, grid.spacing_mm))
    stripped = read(found / "a_t2_stripped.nii.gz").data[0]
    np.testing.assert_array_equal(stripped, np.where(mask, moved, 0))


def test_otsu_needs_no_checkpoint(options, heads, tmp_path):
    assert run(options(heads, "skullstripper=otsu", "classifier=null", "segmenter=null")) == 0
    assert not evaluate_brains(heads, tmp_path / "out").faults
    for path in sorted(heads.rglob("*_T1w.nii.gz")):
        head, name = read(path), path.name.removesuffix("_T1w.nii.gz")
        mask = read_labels(tmp_path / "out" / name / f"{name}_brain_mask.nii.gz")
        expected = otsu_brain(head.data[0], head.grid.spacing_mm)
        assert expected.any()
        np.testing.assert_array_equal(mask.data[0] > 0, expected)
    result = json.loads(next((tmp_path / "out").glob("*/result.json")).read_text())
    assert result["models"] == {"skullstripper": {"method": "otsu"}}
