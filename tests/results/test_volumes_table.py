"""volumes.csv: one row for each subject of the output folder."""

import csv
import json

import pytest

from brainseg.prediction.run import run
from brainseg.results.names import VOLUMES
from brainseg.results.read import all_results
from brainseg.results.table import without_formula, write_volumes


def rows_of(output):
    with (output / VOLUMES).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def put(tmp_path, result_json):
    """Write a result.json with the values that the table takes, and others."""

    def _put(subject, **values):
        folder = tmp_path / subject
        folder.mkdir()
        result = result_json(subject, **{"volumes_ml": {"brain": 1400.0}, **values})
        (folder / "result.json").write_text(json.dumps(result))

    return _put


def gate(level, sentence):
    return {"gate": "x", "of": None, "level": level, "value": 0.0, "limits": None, "sentence": sentence}


def test_all_subjects_in_natural_order_with_every_volume_that_any_of_them_has(put, tmp_path, type_json):
    gates = [gate("review", "The brain is small."), gate("pass", "Fine."), gate("review", "Noise.")]
    put("p10", tumor_type=type_json("glioma", {"glioma": 0.91, "notumor": 0.09}))
    put("p2", verdict="review", gates=gates, volumes_ml={"brain": 900.0, "whole_tumor": 30.5, "edema": 10.0})
    put("p1", verdict="fail", volumes_ml={}, error="p1_t1.nii: no such file, check the path")
    write_volumes(tmp_path, all_results(tmp_path))
    header = "subject,verdict,type,probability,notumor_probability,undecided,"
    header += "brain_ml,whole_tumor_ml,edema_ml,reasons"
    assert (tmp_path / VOLUMES).read_text().splitlines() == [
        header,
        'p1,fail,,,,,,,,"p1_t1.nii: no such file, check the path"',
        "p2,review,,,,,900.0,30.5,10.0,The brain is small. | Noise.",
        "p10,pass,glioma,0.91,0.09,no,1400.0,,,",
    ]


def test_a_result_that_cannot_be_read_is_a_row_too(put, tmp_path):
    put("a")
    put("b")
    (tmp_path / "a" / "result.json").write_text("{")
    (tmp_path / "b" / "result.json").write_text("[]")
    write_volumes(tmp_path, all_results(tmp_path))
    assert [(row["subject"], row["verdict"]) for row in rows_of(tmp_path)] == [
        ("a", "unreadable"),
        ("b", "unreadable"),
    ]
    assert "cannot be read" in rows_of(tmp_path)[0]["reasons"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_field_is_a_formula(start, put, tmp_path):
    assert without_formula(f"{start}1+1") == f"'{start}1+1"
    put(f"{start}cmd|x", verdict="fail", error=f"{start}HYPERLINK(1)", volumes_ml={})
    write_volumes(tmp_path, all_results(tmp_path))
    (row,) = rows_of(tmp_path)
    assert row["subject"] == f"'{start}cmd|x"
    assert row["reasons"] == f"'{start}HYPERLINK(1)"


def test_numbers_and_plain_text_stay_as_they_are():
    assert [without_formula(value) for value in (-1.5, "a=b", "")] == [-1.5, "a=b", ""]


def test_a_prediction_leaves_the_table_of_all_runs_into_its_folder(options, patients, tmp_path):
    quick = ("classifier=null", "segmenter=null", "montage=false")
    assert run(options(patients / "sub-002", *quick)) == 0
    assert [row["subject"] for row in rows_of(tmp_path / "out")] == ["sub-002"]
    (tmp_path / "sub-1_T1w.nii.gz").write_bytes(b"broken")
    assert run(options(tmp_path / "sub-1_T1w.nii.gz", *quick)) == 4
    first, second = rows_of(tmp_path / "out")
    assert (first["subject"], first["verdict"], first["brain_ml"]) == ("sub-1", "fail", "")
    assert "sub-1_T1w.nii.gz" in first["reasons"]
    result = json.loads((tmp_path / "out" / "sub-002" / "result.json").read_text())
    assert (second["subject"], second["verdict"]) == ("sub-002", "not judged")
    assert float(second["brain_ml"]) == result["volumes_ml"]["brain"]
