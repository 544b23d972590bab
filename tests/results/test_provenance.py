"""A result names what it was made from, so that it is skipped, refused or made again."""

import json
import os
import shutil
from pathlib import Path

import pytest

from brainseg.config.errors import DataError
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.names import RESULT
from brainseg.results.provenance import settings_of
from brainseg.results.read import read_result
from brainseg.results.sums import write_sums


def test_what_is_done_is_skipped_and_what_failed_is_made_again(
    options, cohort, made, tmp_path, capsys, quick
):
    before = (made / RESULT).stat().st_mtime_ns
    assert run(options(cohort, *quick)) == 0
    assert (made / RESULT).stat().st_mtime_ns == before
    assert "1 of them were done before" in capsys.readouterr().out
    result = read_result(made)
    (made / RESULT).write_text(json.dumps({"subject": "sub-001", "status": "failed", "verdict": "fail"}))
    assert run(options(cohort, *quick)) == 0
    assert read_result(made).status == result.status == "done"


@pytest.mark.parametrize("change", ["a setting", "a scan", "the result"])
def test_what_is_of_something_else_is_never_overwritten_unasked(
    options, cohort, made, change, flip_a_byte, quick
):
    if change == "a scan":
        shutil.copy(
            cohort / "sub-001" / "anat" / "sub-001_T1w.nii.gz",
            cohort / "sub-001" / "anat" / "sub-001_T2w.nii.gz",
        )
    if change == "the result":
        flip_a_byte(made / "sub-001_brain_mask.nii.gz")
    extra = ["window.overlap=0.25"] if change == "a setting" else []
    with pytest.raises(DataError, match=r"already has results of sub-001, from other scans, models"):
        run(options(cohort, *quick, *extra))
    assert run(options(cohort, *quick, *extra, "overwrite=true")) == 0


def test_a_result_is_made_again_bit_for_bit(made):
    assert reproduce(made) == []


def test_a_result_from_relative_paths_is_made_again_in_any_folder(
    options, trained, cohort, tmp_path, monkeypatch, quick
):
    monkeypatch.chdir(cohort.parent)
    stripper = f"skullstripper={os.path.relpath(trained('skullstripper')[1])}"
    segmenter = f"segmenter=[{os.path.relpath(trained('segmenter')[1])}]"
    relative = options(Path("cohort"), *quick, stripper, segmenter, output=Path("out"))
    assert run(relative) == 0
    values = read_result(tmp_path / "out" / "sub-001").settings.values
    assert values["input"] == str(cohort)
    assert values["output"] == str(tmp_path / "out")
    assert values["segmenter"] == [str(trained("segmenter")[1])]
    assert values["classifier"] is None
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert reproduce(tmp_path / "out" / "sub-001") == []


def test_a_relative_and_an_absolute_spelling_are_the_same_settings(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def digest(stripper, segmenter):
        return settings_of(options(Path("x"), f"skullstripper={stripper}", f"segmenter={segmenter}")).sha256

    same = {digest("a.ckpt", "[b, c]"), digest(f"{tmp_path}/d/../a.ckpt", f"[{tmp_path}/b, ./c]")}
    assert len(same | {digest("a.ckpt", "[b,d]"), digest("otsu", "[b, c]")}) == 3


def test_what_differs_is_named(made, cohort, flip_a_byte):
    flip_a_byte(made / "sub-001_t1_stripped.nii.gz")
    assert reproduce(made) == ["sub-001_t1_stripped.nii.gz: differs"]
    shutil.copy(
        cohort / "sub-001" / "anat" / "sub-001_T1w.nii.gz", cohort / "sub-001" / "anat" / "sub-001_T2w.nii.gz"
    )
    found = reproduce(made)
    assert "result.json: inputs differs" in found
    assert "sub-001_t2_stripped.nii.gz: differs" in found


def test_a_gate_worded_anew_is_no_difference_but_another_value_is(options, cohort, quick, tmp_path):
    # untrained models find no brain, which must not stop the prediction
    found = ("gates=default", "gates.brain_ml.fail=null", "gates.uprightness.fail=null", "segmenter=null")
    run(options(cohort, *quick, *found))
    made = tmp_path / "out" / "sub-001"
    result = json.loads((made / RESULT).read_text())
    result["gates"][0]["sentence"] = "As another version said it."
    (made / RESULT).write_text(json.dumps(result))
    assert reproduce(made) == []
    result["gates"][0]["value"] += 1
    (made / RESULT).write_text(json.dumps(result))
    assert reproduce(made) == ["result.json: gates differs"]


def test_the_settings_in_a_result_cannot_run_anything(made):
    result = json.loads((made / RESULT).read_text())
    result["settings"]["values"]["pipeline"] = {"_target_": "os.system", "command": "touch /tmp/owned"}
    (made / RESULT).write_text(json.dumps(result))
    write_sums(made)
    with pytest.raises(DataError, match=r"its settings cannot be used"):
        reproduce(made)
