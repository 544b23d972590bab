"""What the gates do to a prediction: it is stopped, sent to review, or passed."""

import json

import numpy as np
import pytest

from brainseg.images.nifti import read, write
from brainseg.prediction.run import run
from brainseg.system.verdicts import SOME_FAILED, SOME_TO_REVIEW


@pytest.fixture
def scan(patients, tmp_path):
    """A head of its own folder."""
    head = read(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz")
    folder = tmp_path / "cohort"
    write(folder / "a_T1w.nii.gz", head.data[0].astype(np.int16), head.grid)
    return folder


def result_of(tmp_path):
    return json.loads((tmp_path / "out" / "a" / "result.json").read_text())


def test_a_fail_stops_the_subject_and_leaves_a_reason_a_picture_and_no_mask(options, scan, tmp_path):
    given = ("gates=default", "gates.lost_slices.fail=[null,-1]", "classifier=null", "segmenter=null")
    assert run(options(scan, *given)) == SOME_FAILED
    names = sorted(path.name for path in (tmp_path / "out" / "a").iterdir())
    assert names == ["SHA256SUMS", "a_montage.png", "result.json"]
    result = result_of(tmp_path)
    assert (result["status"], result["verdict"]) == ("failed", "fail")
    assert result["error"].startswith(
        "t1: The number of slices that are empty or equal to a neighbour is 0 (limit: at most -1): slices of "
    )
    assert result["stages"] == []  # the stripper was never asked


def test_a_review_is_written_whole_and_says_so(options, scan, tmp_path):
    given = ("gates=default", "gates.brain_ml.review=[1,2]", "gates.brain_ml.fail=null", "classifier=null")
    opened = [f"gates.{name}.fail=null" for name in ("uprightness", "field_of_view_mm")]
    assert run(options(scan, *given, *opened, "segmenter=null", "montage=false")) == SOME_TO_REVIEW
    result = result_of(tmp_path)
    assert (result["status"], result["verdict"]) == ("done", "review")
    assert (tmp_path / "out" / "a" / "a_brain_mask.nii.gz").is_file()
    (volume,) = [gate for gate in result["gates"] if gate["gate"] == "brain_ml"]
    assert volume["level"] == "review"
    assert volume["value"] == pytest.approx(result["volumes_ml"]["brain"], abs=0.1)


def test_without_gates_nothing_is_judged(options, scan, tmp_path):
    assert run(options(scan, "classifier=null", "segmenter=null", "montage=false")) == 0
    result = result_of(tmp_path)
    assert (result["verdict"], result["gates"]) == ("not judged", [])
    assert "judge" not in result["seconds"]
