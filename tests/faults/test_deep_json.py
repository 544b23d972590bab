"""JSON files of a data set, nested deeper than any parser goes."""

import pytest

from brainseg.config.errors import DataError
from brainseg.images import bids
from brainseg.images.layouts import find_subjects

DEEP = "[" * 100_000


def test_a_description_nested_without_end_is_no_derivatives(tmp_path):
    (tmp_path / bids.DESCRIPTION).write_text(DEEP)
    assert bids.is_derivative(tmp_path) is False


def test_channels_nested_without_end_are_refused_with_the_file(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "imagesTr" / "a.nii.gz").touch()
    (tmp_path / "dataset.json").write_text(DEEP)
    with pytest.raises(
        DataError, match=r"dataset\.json: cannot be read, its values lie in more than 100 levels"
    ):
        find_subjects(tmp_path)
