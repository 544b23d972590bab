"""A model that learnt from synthetic heads only says so, before all else, where it meets a real scan."""

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.errors import CheckpointError
from brainseg.gates import Level
from brainseg.gates.origin import judge_origin
from brainseg.images.nifti import read, write
from brainseg.images.phantom_mark import is_synthetic
from brainseg.phantom import write_cohort
from brainseg.phantom.damage import damage
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.runs.model_record import LearntFrom, Measured, Method, ModelFile

WHICH = "1 model, the skullstripper, learnt from synthetic heads only and was not measured on real scans"
ADVICE = (
    "the result may be wrong on a real scan. Check the result by eye, or use a model that was measured on "
    "real scans."
)
SAID = f"{WHICH} (limit: at most 0): {ADVICE}"
MEASURED = [{"data": "IXI", "scans": 20, "score": "brain Dice", "value": 0.957}]
OPEN = ("uprightness", "field_of_view_mm", "brain_ml", "air_level")  # a tiny stripper finds no brain


def composed(*overrides):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["segmenter=null", *overrides]))


@pytest.fixture
def real(coarse_heads, tmp_path) -> Path:
    """A head without the mark of a phantom, as a scan of a person has none."""
    image = nib.load(coarse_heads / "sub-001" / "anat" / "sub-001_T1w.nii.gz")
    image.header["descrip"] = b"a scanner's own words"
    (tmp_path / "in").mkdir()
    nib.save(image, tmp_path / "in" / "a_t1.nii.gz")
    return tmp_path / "in"


@pytest.fixture
def stripper(trained, tmp_path):
    """The tiny stripper, which learnt from phantoms, with other facts in its checkpoint."""

    def _stripper(**facts) -> Path:
        stored = torch.load(trained("skullstripper")[1], weights_only=True)
        assert "phantom" in stored["brainseg"]["run"]["facts"]
        stored["brainseg"]["run"]["facts"] |= facts
        if facts.get("phantom", True) is None:
            del stored["brainseg"]["run"]["facts"]["phantom"]
        torch.save(stored, tmp_path / "stripper.ckpt")
        return tmp_path / "stripper.ckpt"

    return _stripper


@pytest.fixture
def predicted(tmp_path):
    def _predicted(source, checkpoint, *overrides):
        opened = [f"gates.{name}.fail=null" for name in OPEN] if "gates=none" not in overrides else []
        fixed = [f"input={source}", f"output={tmp_path / 'out'}", "device=cpu", "montage=false"]
        code = run(composed(*fixed, f"skullstripper={checkpoint}", *opened, *overrides))
        (path,) = (tmp_path / "out").glob("*/result.json")
        return code, json.loads(path.read_text())

    return _predicted


def of(result, gate="synthetic_only"):
    return [one for one in result["gates"] if one["gate"] == gate]


def test_it_is_the_first_reason_in_result_page_and_table(predicted, real, stripper, tmp_path):
    code, result = predicted(real, stripper())
    assert (code, result["verdict"], result["synthetic"]) == (3, "review", False)
    assert result["gates"][0]["level"] == "review"
    assert read_result(tmp_path / "out" / "a").reasons[0] == SAID
    page = (tmp_path / "out" / "a" / "report.html").read_text()
    assert page.index(WHICH) < page.index("measures lie within")
    with (tmp_path / "out" / "volumes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["reasons"].startswith(f"{SAID} | ")


def test_figures_of_real_scans_stand_in_its_place(predicted, real, stripper, tmp_path):
    _, result = predicted(real, stripper(measured=MEASURED))
    assert [one["level"] for one in of(result)] == ["pass"]
    figure = "measured on real scans: brain Dice 0.957 on 20 scans of IXI"
    assert f"the skullstripper learnt from synthetic heads only; {figure}" in result["warnings"]
    assert result["models"]["skullstripper"]["measured"] == MEASURED
    assert figure in (tmp_path / "out" / "a" / "report.html").read_text()


def test_a_phantom_s_scan_is_none_of_its_concern(predicted, coarse_heads, stripper):
    _, result = predicted(coarse_heads / "sub-001", stripper())
    assert (of(result), result["synthetic"]) == ([], True)


def test_a_model_that_learnt_from_people_is_none_of_its_concern(predicted, real, stripper):
    _, result = predicted(real, stripper(phantom=None))
    assert [one["level"] for one in of(result)] == ["pass"]


def test_without_gates_nothing_is_judged(predicted, real, stripper):
    code, result = predicted(real, stripper(), "gates=none")
    assert (code, result["verdict"], result["gates"]) == (0, "not judged", [])


def test_a_gate_that_is_left_open_says_nothing(predicted, real, stripper):
    _, result = predicted(real, stripper(), "gates.synthetic_only=null")
    assert of(result) == []


@pytest.mark.parametrize(
    "measured", ["0.95", {"data": "IXI"}, [{"data": "IXI"}], [MEASURED[0] | {"scans": 0}], [["IXI", 20]]]
)
def test_figures_in_another_form_are_refused_in_one_line(real, stripper, tmp_path, measured):
    options = composed(
        f"input={real}", f"output={tmp_path / 'out'}", f"skullstripper={stripper(measured=measured)}"
    )
    with pytest.raises(CheckpointError, match=r"stripper\.ckpt: facts\.measured is .*must be a list of data"):
        run(options)


def entry(*, synthetic, before=None, measured=()):
    earlier = None if before is None else LearntFrom(3, "subjects of y", synthetic=before)
    about = LearntFrom(3, "subjects of x", synthetic=synthetic, before=earlier, sequences=[])
    return ModelFile("x", "", about, [Measured(**one) for one in measured])


@pytest.mark.parametrize(
    ("models", "level"),
    [
        ({"segmenter": [entry(synthetic=True)]}, Level.review),
        ({"segmenter": [entry(synthetic=False)]}, Level.passed),
        ({"segmenter": [entry(synthetic=True, before=True)]}, Level.review),
        ({"segmenter": [entry(synthetic=True, before=False)]}, Level.passed),
        ({"segmenter": [entry(synthetic=False, before=True)]}, Level.passed),
        ({"segmenter": [entry(synthetic=True, measured=MEASURED)]}, Level.passed),
        ({"segmenter": [entry(synthetic=False), entry(synthetic=True)]}, Level.review),  # one of an ensemble
        ({"skullstripper": [Method("otsu")]}, Level.passed),
    ],
)
def test_what_a_model_learnt_from_and_before_that_counts(models, level):
    (finding,) = judge_origin(models, composed("input=x", "output=y").gates)
    assert finding.level is level


def test_several_models_are_named_in_one_sentence():
    models = {name: [entry(synthetic=True)] for name in ("skullstripper", "segmenter")}
    (finding,) = judge_origin(models, composed("input=x", "output=y").gates)
    assert finding.sentence == (
        "2 models, the skullstripper and the segmenter, learnt from synthetic heads only and were not "
        f"measured on real scans (limit: at most 0): {ADVICE}"
    )


@pytest.mark.parametrize("layout", ["brats", "msd", "nfbs", "bids"])
def test_every_file_of_a_cohort_is_marked_and_what_is_made_of_it_is_too(layout, tmp_path):
    write_cohort(tmp_path / layout, layout=layout, subjects=1, seed=3, spacing_mm=8.0)
    files = sorted((tmp_path / layout).rglob("*.nii.gz"))
    assert files
    for path in files:
        header = nib.load(path).header
        assert header["descrip"].item() == b"synthetic head made by brainseg, no patient", path
    if layout != "msd":
        scan = next(read(path) for path in files if path.name.lower().endswith(("t1.nii.gz", "t1w.nii.gz")))
        write(tmp_path / "copy.nii.gz", scan.data[0], scan.grid)
        assert is_synthetic(read(tmp_path / "copy.nii.gz").grid)


@pytest.mark.parametrize("kind", ["upside down", "heavy noise", "values of a CT", "slices twice as thick"])
def test_a_spoilt_phantom_is_still_one(kind, coarse_heads, tmp_path):
    shutil.copytree(coarse_heads / "sub-001", tmp_path / "sub-001")
    damage(tmp_path / "sub-001", kind)
    assert is_synthetic(read(tmp_path / "sub-001" / "anat" / "sub-001_T1w.nii.gz").grid)


def test_the_free_text_of_a_real_scan_is_still_not_kept(real, tmp_path):
    scan = read(real / "a_t1.nii.gz")
    write(tmp_path / "mask.nii.gz", np.ones(scan.grid.shape, np.uint8), scan.grid)
    assert nib.load(tmp_path / "mask.nii.gz").header["descrip"].item() == b""
