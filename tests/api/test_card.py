"""`brainseg pack` and `brainseg card`: figures by set, what missing sequences cost, the worst phantoms."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from brainseg.api.card import Scores, write_card
from brainseg.api.packing import pack
from brainseg.checkpoint import load_model
from brainseg.commands.cli import app
from brainseg.config.errors import ConfigError
from brainseg.evaluation.brains import evaluate_brains, write_brain_evaluation
from brainseg.prediction.models import measured_without
from brainseg.prediction.run import run
from brainseg.runs.packed_file import read_contract


@pytest.fixture
def model(trained, tmp_path):
    return pack(trained("segmenter")[1], tmp_path / "m", licence="CC0-1.0", purpose="For tests.")


def scores(path, column, values, **more):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *more, column, "fault"])
        writer.writerows([name, *more.values(), value, ""] for name, value in values.items())
    return path


def test_a_card_without_scores_says_that_nothing_was_measured(model):
    card = model.with_suffix(".md").read_text()
    assert "| licence | CC0-1.0 |" in card
    assert "The model was not measured on real scans." in card


def test_a_card_has_figures_costs_and_the_worst_cases(model, tmp_path):
    whole = scores(tmp_path / "a.csv", "dice/whole_tumor", {"p1": 0.8, "p2": 0.6, "p3": 0.7, "p4": 0.1})
    part = scores(tmp_path / "b.csv", "dice/whole_tumor", {"p1": 0.4, "p2": 0.4, "p3": 0.4})
    synthetic = scores(tmp_path / "c.csv", "dice/whole_tumor", {"sub-1": 0.9, "sub-2": 0.95})
    given = Scores({"LGG": whole}, {"phantoms": synthetic}, {("LGG", "t1+flair"): part})
    card = write_card(model, given).read_text()
    assert re.search(r"\| LGG \| whole tumour Dice \| 4 \| 0\.550 \| 0\.\d+ to 0\.\d+ \| 0\.100 \|", card)
    assert "| phantoms | whole tumour Dice | 2 | 0.925 | " in card
    row = r"\| LGG \| t1, flair \| whole tumour Dice \| 3 \| 0\.400 \| [\d. to]+ \| 0\.300 \([\d. to]+\) \|"
    assert re.search(row, card)
    assert "| LGG | whole tumour Dice | p4 0.100, p2 0.600, p3 0.700 |" in card
    facts = read_contract(model)["run"]["facts"]
    assert facts["measured"] == [{"data": "LGG", "scans": 4, "score": "whole tumour Dice", "value": 0.55}]
    assert measured_without(load_model(model), ["flair", "t1"]) == ["0.300 on 3 scans of LGG"]
    assert measured_without(load_model(model), ["flair"]) == []


def test_slices_of_one_subject_count_together(model, tmp_path):
    path = tmp_path / "cases.csv"
    rows = [("val", f"s{k}", f"p{k // 5}", float(k < 5)) for k in range(10)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["part", "case", "subject", "accuracy"], *rows])
    card = write_card(model, Scores({"Kaggle": path})).read_text()
    assert "| Kaggle | right types of slices | 10 | 0.500 | 0.000 to 1.000 |  |" in card


def test_what_a_classifier_of_volumes_names_are_volumes(trained, tmp_path):
    one = pack(trained("volume_classifier")[1], tmp_path / "v", licence="CC0-1.0", purpose="For tests.")
    table = scores(tmp_path / "cases.csv", "accuracy", {"p1": 1.0, "p2": 0.0})
    card = write_card(one, Scores({"BraTS": table})).read_text()
    assert "| BraTS | right types of volumes | 2 | 0.500 | " in card


def test_the_worst_phantoms_are_drawn_and_real_scans_are_refused(model, patients, options, tmp_path):
    run(options(patients, "classifier=null", "segmenter=null", "skullstripper=otsu", "montage=false"))
    write_brain_evaluation(evaluate_brains(patients, tmp_path / "out"), tmp_path / "scores")
    table = tmp_path / "scores" / "scores.csv"
    card = write_card(model, Scores(failures=table)).read_text()
    assert "](m_worst.png)" in card
    assert np.asarray(Image.open(tmp_path / "m_worst.png")).std() > 10
    for path in (tmp_path / "out").glob("*/result.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"synthetic": False}))
    with pytest.raises(ConfigError, match=r"is of a real scan, and a card is given away; --failures"):
        write_card(model, Scores(failures=table))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scores", "a.csv"], "write WHAT=scores.csv"),
        (["--subset", "LGG=a.csv"], "write WHAT:SEQUENCES=scores.csv"),
        (["--subset", "LGG:t3=a.csv"], "write WHAT:SEQUENCES=scores.csv"),
    ],
)
def test_scores_without_a_name_are_refused_in_one_line(arguments, said):
    result = CliRunner().invoke(app, ["card", "m.safetensors", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_subset_needs_the_scores_of_its_set(model, tmp_path):
    part = scores(tmp_path / "b.csv", "dice/whole_tumor", {"p1": 0.4})
    with pytest.raises(ConfigError, match="there are no --scores of LGG, only of none"):
        write_card(model, Scores(subsets={("LGG", "flair"): part}))
    with pytest.raises(ConfigError, match="is no packed model; write one with brainseg pack"):
        write_card(tmp_path / "best.ckpt", Scores())
