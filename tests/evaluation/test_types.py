"""`brainseg evaluate --task classify`: named types against a table of true ones."""

import csv
import json

import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config.errors import DataError
from brainseg.evaluation.types import evaluate_types
from brainseg.prediction.run import run


@pytest.fixture(scope="module")
def named(patients, trained, tmp_path_factory):
    """Two phantoms with types that a tiny classifier named: what it says, by subject."""
    from hydra import compose, initialize_config_dir

    from brainseg.config import check_predict, conf_dir, register_schemas

    register_schemas()
    output = tmp_path_factory.mktemp("named") / "out"
    given = [f"input={patients}", f"output={output}", f"classifier={trained('classifier')[1]}", "gates=none"]
    none = ["skullstripper=null", "segmenter=null", "page=false", "montage=false", "device=cpu"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        run(check_predict(compose("predict", [*given, *none])))
    found = {}
    for path in output.glob("*/result.json"):
        found[path.parent.name] = json.loads(path.read_text())["tumor_type"]
    return output, found


def table(path, types):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["participant_id", "tumor_type"], *types.items()])
    return path


def test_right_and_wrong_types_are_counted(named, tmp_path):
    output, found = named
    (one, first), (other, second) = sorted(found.items())
    wrong = next(name for name in second["probabilities"] if name != second["verdict"])
    types = {one: first["verdict"], other: wrong, "sub-9": "glioma"}
    scored = evaluate_types(table(tmp_path / "types.csv", types), output)
    assert scored.means["type"].value == 0.5
    assert [case.scores.get("type") for case in scored.cases] == [1.0, 0.0, None]
    assert scored.cases[1].scores["true_probability"] == second["probabilities"][wrong]
    assert [(one.name, one.fault) for one in scored.faults] == [("sub-9", "nothing was predicted")]


def test_a_bids_folder_has_its_table(named, patients, tmp_path):
    output, found = named
    result = CliRunner().invoke(
        app, ["evaluate", str(patients), str(output), "--task", "classify", "--output", str(tmp_path)]
    )
    assert result.exit_code == 0
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == sorted(found)
    with (patients / "participants.tsv").open(newline="") as file:
        truth = {row["participant_id"]: row["tumor_type"] for row in csv.DictReader(file, delimiter="\t")}
    assert [float(row["type"]) for row in rows] == [found[n]["verdict"] == truth[n] for n in sorted(found)]
    assert json.loads((tmp_path / "scores.json").read_text())["means"]["type"]["cases"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has the columns a, b; it needs one named participant_id"),
        ("", "has the columns of none"),
    ],
)
def test_a_table_without_the_columns_is_refused_in_one_line(named, tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        evaluate_types(tmp_path / "t.csv", named[0])
