import csv
import json

import numpy as np
import pytest

from brainseg.callbacks import SliceScores
from brainseg.callbacks.scores import write_predictions, write_scores


def test_a_row_holds_file_truth_and_probabilities(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, "val", ["a.jpg"], np.array([1]), np.array([[0.25, 0.75]]), ["glioma", "notumor"])
    rows = list(csv.DictReader(path.open()))
    assert rows == [
        {"file": "a.jpg", "part": "val", "truth": "notumor", "glioma": "0.250000", "notumor": "0.750000"}
    ]


def test_scores_are_of_calibrated_probabilities_with_the_others_beside(tmp_path):
    # Always as sure as 0.88 (logits 2 and 0), right in 3 of 4: a temperature of 2 / log(3) makes that 0.75.
    logits = np.tile(np.array([[2.0, 0.0]], np.float32), (400, 1))
    truth = (np.arange(400) % 4 == 0).astype(np.int64)
    about = {"part": "val", "temperature": 2 / np.log(3)}
    write_scores(tmp_path / "s.json", about, logits, truth, "ab", range(400))
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["accuracy"]["value"] == 0.75
    assert scores["calibration_error"]["value"] == pytest.approx(0, abs=1e-6)
    assert scores["uncalibrated"]["calibration_error"]["value"] == pytest.approx(
        1 / (1 + np.exp(-2)) - 0.75, abs=1e-6
    )


def test_other_tasks_have_no_such_scores(tmp_path, tiny, batches, make_trainer):
    make_trainer(SliceScores(tmp_path / "scores")).test(tiny, batches, verbose=False)
    assert not (tmp_path / "scores").exists()
