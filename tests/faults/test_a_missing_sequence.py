"""A subject that lacks a sequence of one model keeps what the others can do; the rest is said."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.prediction.run import run
from brainseg.system.verdicts import SOME_FAILED, SOME_TO_REVIEW

ALL = ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR")


@pytest.fixture
def predicted(coarse_heads, trained, tmp_path):
    """Predict a head that has only these sequences by three tiny models, and read result.json."""

    def _predicted(kept, *overrides, ends_with=SOME_TO_REVIEW):
        folder = tmp_path / "in" / "sub-001" / "anat"
        folder.mkdir(parents=True)
        for suffix in kept:
            shutil.copy(coarse_heads / "sub-001" / "anat" / f"sub-001_{suffix}.nii.gz", folder)
        tasks = ("skullstripper", "classifier", "segmenter")
        given = {override.split("=")[0] for override in overrides}
        models = [f"{task}={trained(task)[1]}" for task in tasks if task not in given]
        fixed = [f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", "device=cpu"]
        register_schemas()
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            options = check_predict(compose("predict", [*fixed, "gates=none", *models, *overrides]))
        assert run(options) == ends_with
        return json.loads((tmp_path / "out" / "sub-001" / "result.json").read_text())

    return _predicted


def sentences(result):
    return [gate["sentence"] for gate in result["gates"] if gate["level"] == "review"]


def test_a_subject_without_a_sequence_of_the_segmenter_keeps_brain_mask_and_type(predicted, tmp_path):
    result = predicted([name for name in ALL if name != "T2w"])
    said = "sub-001 has t1, t1ce, flair but lacks t2: the segmenter was trained with t1, t1ce, t2"
    assert result["left_out"]["segment"].startswith(said)
    assert (result["status"], result["verdict"]) == ("done", "review")
    assert (tmp_path / "out" / "sub-001" / "sub-001_brain_mask.nii.gz").is_file()
    assert result["tumor_type"]["verdict"]
    assert result["volumes_ml"].keys() == {"brain"}
    assert sentences(result)[0].startswith(f"No outline of the tumour was made: {said}")
    page = (tmp_path / "out" / "sub-001" / "report.html").read_text()
    assert "No outline of the tumour was made" in page
    assert "No outline of the tumour was made" in (tmp_path / "out" / "volumes.csv").read_text()


def test_a_subject_without_the_stripper_s_sequence_keeps_its_type_and_gets_no_outline_of_a_head(predicted):
    result = predicted([name for name in ALL if name != "T1w"], "segmenter=null")
    assert result["left_out"]["strip"].startswith("sub-001 has t1ce, t2, flair but lacks t1, of which the")
    assert result["verdict"] == "review"
    assert result["tumor_type"]["verdict"]
    assert len(sentences(result)) == 1


def test_what_hangs_on_a_mask_that_could_not_be_made_is_not_made_either(predicted, trained, tmp_path):
    stored = torch.load(trained("classifier")[1], weights_only=True)
    stored["hyper_parameters"]["config"]["preprocess"]["stripped"] = True
    torch.save(stored, tmp_path / "stripped.ckpt")
    without_t1 = [name for name in ALL if name != "T1w"]
    classifier = f"classifier={tmp_path / 'stripped.ckpt'}"
    result = predicted(without_t1, "segmenter=null", classifier, ends_with=SOME_FAILED)
    assert "lacks t1, of which the skull stripper learnt; add the file" in result["error"]
    assert "it needs the brain mask, which cannot be made" in result["error"]


def test_a_subject_without_the_sequence_that_is_to_vote_keeps_the_rest(predicted):
    result = predicted(("T1w",), "segmenter=null", "vote.sequence=t2")
    assert result["left_out"]["classify"] == (
        "sub-001 has t1 but lacks t2, which vote.sequence wants; add the file"
    )
    assert result["volumes_ml"].keys() == {"brain"}


def test_a_subject_for_which_nothing_can_be_done_fails(predicted):
    result = predicted(("FLAIR",), "classifier=null", ends_with=SOME_FAILED)
    assert result["status"] == "failed"
    assert "lacks t1, of which the skull stripper learnt" in result["error"]
    assert "lacks t1, t1ce, t2: the segmenter" in result["error"]


def test_the_other_subjects_of_a_cohort_are_as_they_would_be_alone(predicted):
    result = predicted(ALL, "segmenter=null", "page=false", "montage=false", ends_with=0)
    assert (result["left_out"], result["gates"]) == ({"segment": "no segmenter given"}, [])


def test_a_missing_part_is_no_secret_of_the_folder(predicted):
    result = predicted(("T1w",), "classifier=null")
    assert Path(result["inputs"]["t1"]["file"]).name == "sub-001_T1w.nii.gz"
    assert str(Path(result["inputs"]["t1"]["file"]).parent) not in result["left_out"]["segment"]
