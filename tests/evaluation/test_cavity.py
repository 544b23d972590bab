"""The resection cavity in evaluations: a region of its own, no part of the tumour."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import brainseg
from brainseg.commands.cli import app
from brainseg.config.choices import PROTOCOLS
from brainseg.config.errors import ConfigError, DataError
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.images.labels import CONVENTIONS, TUMOR_REGIONS, from_classes
from brainseg.images.nifti import write
from brainseg.images.volume import Grid

GRID = Grid((20, 12, 12), np.diag([1.0, 1.0, 1.0, 1.0]))


@pytest.fixture
def truth():
    """A tumour of 6 x 6 x 6 voxels with a core of 4 x 4 x 4, and beside it a cavity of 4 x 6 x 6."""
    classes = np.zeros(GRID.shape, np.uint8)
    classes[2:8, 3:9, 3:9] = 2
    classes[3:7, 4:8, 4:8] = 3
    classes[8:12, 3:9, 3:9] = 4
    return classes


@pytest.fixture
def saved(tmp_path):
    """Writes classes as a label map of a convention, under a name of BraTS from 2023 on."""

    def _saved(folder, classes, convention="brats-2024-post", name="BraTS-GLI-00001-100-seg.nii.gz"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, from_classes(classes, CONVENTIONS[convention]), GRID)
        return path

    return _saved


def test_the_cavity_is_scored_as_a_fourth_region(truth, saved):
    guess = truth.copy()
    guess[8:10, 3:9, 3:9] = 0  # half of the cavity: Dice 2 * 72 / (72 + 144)
    guess[2:4, 3:9, 3:9] = 0  # a third of the tumour: Dice 2 * 144 / (144 + 216)
    found = evaluate_tumors(saved("truth", truth), saved("guess", guess), "brats-legacy")
    scores = found.cases[0].scores
    assert scores["dice/resection_cavity"] == pytest.approx(2 / 3)
    assert scores["dice/whole_tumor"] == pytest.approx(0.8)
    assert scores["hd95_mm/resection_cavity"] == pytest.approx(2.0)
    assert scores["dice/tumor_core"] == pytest.approx(2 * 48 / (48 + 64))
    assert not any("cavity" in said for said in found.suspicions)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_scores_it_and_alone_on_request(truth, saved, protocol):
    path = saved("truth", truth)
    found = evaluate_tumors(path, path, protocol)
    assert found.summaries["dice/resection_cavity"].mean == 1
    alone = evaluate_tumors(path, path, protocol, regions=["resection_cavity"])
    assert {name.split("/")[1] for name in alone.summaries} == {"resection_cavity"}
    assert alone.summaries["dice/resection_cavity"] == found.summaries["dice/resection_cavity"]


def test_a_guess_without_cavities_is_told(truth, saved):
    guess = np.where(truth == 4, 0, truth).astype(np.uint8)
    true, guessed = saved("truth", truth), saved("guess", guess, "brats-2023")
    for regions in ([], ["resection_cavity"]):
        found = evaluate_tumors(true, guessed, "brats-legacy", regions=regions)
        assert found.summaries["dice/resection_cavity"].mean == 0
        (said,) = found.suspicions
        assert "resection_cavity is in true label maps but in no predicted one" in said
        assert "segmenter.cavity=true" in said
    left_out = evaluate_tumors(true, guessed, "brats-legacy", regions=list(TUMOR_REGIONS))
    assert (left_out.summaries["dice/whole_tumor"].mean, left_out.suspicions) == (1, [])


def test_a_cavity_where_the_truth_knows_none_is_told_and_is_no_tumour(truth, saved):
    before = np.where(truth == 4, 0, truth).astype(np.uint8)
    true, guessed = saved("truth", before, "brats-2023"), saved("guess", truth)
    found = evaluate_tumors(true, guessed, "brats-legacy")
    assert "dice/resection_cavity" not in found.summaries
    assert found.summaries["dice/whole_tumor"].mean == 1
    (said,) = found.suspicions
    assert "144 voxels" in said
    assert "counts as background" in said
    with pytest.raises(ConfigError, match=r"the true labels \(brats-2023\) have no resection_cavity"):
        evaluate_tumors(true, guessed, "brats-legacy", regions=["resection_cavity"])


def test_a_guess_of_label_4_without_3_stays_in_doubt_beside_a_truth_of_2023(truth, saved):
    before = np.where(truth == 4, 0, truth).astype(np.uint8)
    true, guessed = saved("truth", before, "brats-2023"), saved("guess", before, "brats-2018")
    found = evaluate_tumors(true, guessed, "brats-legacy")
    assert "set --labels-guess" in found.faults[0].fault


def test_data_without_cavities_are_scored_as_before(truth, saved):
    before = np.where(truth == 4, 0, truth).astype(np.uint8)
    path = saved("truth", before, "brats-2023")
    found = evaluate_tumors(path, path, "brats-2023")
    assert {name.split("/")[1] for name in found.summaries} == set(TUMOR_REGIONS)


def test_swapped_cavity_and_core_are_told(truth, saved):
    guess = truth.copy()
    guess[truth == 4], guess[truth == 3] = 3, 4
    found = evaluate_tumors(saved("truth", truth), saved("guess", guess), "brats-legacy")
    assert any("enhancing_tumor and resection_cavity look swapped" in said for said in found.suspicions)


def test_the_command_and_the_api_know_the_region(truth, saved, tmp_path):
    true, guess = saved("truth", truth), saved("guess", truth)
    call = ["evaluate", str(true), str(guess), "--task", "segment", "--regions", "resection_cavity"]
    answer = CliRunner().invoke(app, [*call, "--output", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert written["cases"][0]["dice/resection_cavity"] == 1
    assert "dice/whole_tumor" not in written["cases"][0]
    values = from_classes(truth, CONVENTIONS["brats-2024-post"])
    arrays = {"labels": "brats-2024-post", "spacing_mm": (1.0, 1.0, 1.0)}
    assert brainseg.evaluate(values, values, **arrays)["dice/resection_cavity"] == 1
    with pytest.raises(DataError, match="labels="):
        brainseg.evaluate(
            np.where(values == 4, 0, values), values * 2, labels="brats-2023", spacing_mm=(1, 1, 1)
        )
