"""Headers that lie: the result says so, a person is asked to look, and both files of a pair are hashed."""

import json

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Pair

from brainseg.images.nifti import read
from brainseg.prediction.run import run
from brainseg.results.verify import changes

QUICK = ("classifier=null", "segmenter=null", "montage=false")


@pytest.fixture
def head(patients):
    return read(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz")


def result_of(tmp_path):
    return json.loads((tmp_path / "out" / "a" / "result.json").read_text())


@pytest.mark.parametrize("lies", [False, True])
def test_a_header_that_lies_is_a_warning_and_a_review_and_one_in_order_neither(lies, options, head, tmp_path):
    image = nib.Nifti1Image(head.data[0].astype(np.int16), None)
    image.set_qform(head.grid.affine, 1)
    image.set_sform(head.grid.affine @ np.diag([1.1, 1, 1, 1]) if lies else head.grid.affine, 1)
    (tmp_path / "in").mkdir()
    nib.save(image, tmp_path / "in" / "a_T1w.nii.gz")
    run(options(tmp_path / "in", *QUICK, "gates=default"))
    result = result_of(tmp_path)
    (gate,) = [one for one in result["gates"] if one["gate"] == "header"]
    assert (gate["of"], gate["value"], gate["level"]) == ("t1", int(lies), "review" if lies else "pass")
    said = [one for one in result["warnings"] if "two voxel sizes" in one]
    assert len(said) == int(lies)
    assert all(one.startswith("t1: the header gives") for one in said)


def test_both_files_of_a_pair_are_hashed_and_verified(options, head, tmp_path):
    (tmp_path / "in").mkdir()
    nib.save(Nifti1Pair(head.data[0].astype(np.int16), head.grid.affine), tmp_path / "in" / "a_T1w.hdr")
    assert run(options(tmp_path / "in", *QUICK)) == 0
    assert list(result_of(tmp_path)["inputs"]["t1"]["beside"]) == ["a_T1w.img"]
    assert changes(tmp_path / "out" / "a") == []
    voxels = tmp_path / "in" / "a_T1w.img"
    voxels.write_bytes(voxels.read_bytes()[:-1] + b"\x07")
    assert changes(tmp_path / "out" / "a") == [f"{voxels}: has changed since it was used"]
