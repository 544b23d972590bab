"""Where the runs of train.py are, below a folder."""

from brainseg.runs.config import CONFIG, run_folders


def test_runs_at_or_below_a_folder_are_found_by_their_config_in_order(tmp_path):
    for name in ("sweep/1", "sweep/0", "alone"):
        (tmp_path / name / CONFIG).parent.mkdir(parents=True)
        (tmp_path / name / CONFIG).touch()
    (tmp_path / "no_run" / "checkpoints").mkdir(parents=True)
    assert run_folders(tmp_path) == [tmp_path / name for name in ("alone", "sweep/0", "sweep/1")]
    assert run_folders(tmp_path / "alone") == [tmp_path / "alone"]
    assert run_folders(tmp_path / "no_run") == []
