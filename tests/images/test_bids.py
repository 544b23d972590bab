from pathlib import Path

import pytest

from brainseg.images import bids


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-01_T1w.nii.gz", {"sub": "01"}),
        ("sub-01_ses-2_run-1_T1w.nii", {"sub": "01", "ses": "2", "run": "1"}),
        ("sub-01_T1w_brainmask.nii.gz", {"sub": "01"}),
        ("T1w.nii.gz", {}),
    ],
)
def test_entities_are_the_pairs_of_a_name(name, expected):
    assert bids.entities(Path(name)) == expected


def test_a_name_has_its_entities_in_the_order_of_bids_whatever_order_they_came_in():
    pairs = {"desc": "brain", "run": "2", "ce": "Gd+", "foo": "1", "ses": "1", "sub": "A_1", "acq": "--"}
    assert bids.file_name(pairs, "T1w.nii.gz") == "sub-A1_ses-1_ce-Gd_run-2_desc-brain_T1w.nii.gz"


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/d/sub-1/anat/sub-1_T1w.nii", Path("/d")),
        ("/d/sub-1/ses-2/anat/sub-1_ses-2_T1w.nii", Path("/d")),
        ("/d/x/y/anat/sub-1_T1w.nii", None),
    ],
)
def test_the_data_set_of_a_file(path, root):
    assert bids.root_of(Path(path)) == root
