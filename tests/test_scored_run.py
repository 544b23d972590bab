"""What a classifier's run leaves behind after it has been scored, through the real training."""

import csv
import json

import numpy as np
import pytest
import torch

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.config import TUMOR_TYPES
from brainseg.preprocess.slices import network_input


def test_a_run_leaves_predictions_of_the_part_that_it_scored(trained):
    """The small classifier that all tests share, through the real command."""
    run = trained("classifier")[1].parents[1]
    split = json.loads((run / "split.json").read_text())
    rows = list(csv.DictReader((run / "predictions.csv").open()))
    assert [row["file"] for row in rows] == split["test"][: len(rows)]
    assert all(row["file"].split("/")[1] == row["truth"] for row in rows)  # its folder names its class
    scores = json.loads((run / "scores.json").read_text())
    right = [row["truth"] == max(TUMOR_TYPES, key=lambda name, row=row: float(row[name])) for row in rows]
    assert scores["accuracy"]["value"] == pytest.approx(np.mean(right))
    assert (run / "confusion.png").is_file()


def test_the_temperature_travels_in_the_checkpoint(trained):
    checkpoint = trained("classifier")[1]
    stored = read_checkpoint(checkpoint)["brainseg"]["fitted"]["temperature"]
    model = load_model(checkpoint)
    assert model.temperature == stored != 1.0
    slices = torch.randint(0, 255, (2, 32, 32), dtype=torch.uint8)
    logits = model(network_input(slices, model.config.preprocess)).detach()
    torch.testing.assert_close(
        torch.from_numpy(model.probabilities(slices)).float(), (logits / stored).softmax(1)
    )
