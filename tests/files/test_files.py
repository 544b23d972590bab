import pytest

from brainseg.config.errors import ImageError
from brainseg.files.atomic import writing


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.nii.gz"
    with writing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.endswith(".a.nii.gz")
        assert temporary.name.startswith(".")
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, FileNotFoundError])
def test_a_failure_of_any_kind_keeps_the_old_file_and_passes_on(stop, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_and_stop():
        with writing(path) as temporary:
            temporary.write_text("half")
            raise stop

    with pytest.raises(stop):
        write_and_stop()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ImageError, match=r"cannot be written, .*; choose another folder"),
        writing(tmp_path / "file" / "a.txt"),
    ):
        pass
