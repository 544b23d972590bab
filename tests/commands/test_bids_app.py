"""`brainseg-bids` takes the command line of BIDS Apps and writes derivatives."""

import csv
import json
import subprocess
import sys

import pytest

from brainseg.phantom import write_cohort

FAST = ("skullstripper=otsu", "segmenter=null", "gates=none", "page=false", "montage=false")


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids") / "set"
    write_cohort(folder, layout="bids", subjects=3, seed=1, spacing_mm=8.0)
    return folder


def app(*arguments, cwd):
    command = [sys.executable, "-m", "brainseg.commands.bids_process", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def participants(folder):
    with (folder / "participants.tsv").open(newline="") as file:
        return [row["participant_id"] for row in csv.DictReader(file, delimiter="\t")]


def test_participants_are_predicted_in_two_calls_and_the_tables_hold_all(data_set, tmp_path):
    out = tmp_path / "derivatives"
    labels = sorted(path.name.removeprefix("sub-") for path in data_set.glob("sub-*"))
    code, said = app(
        data_set, out, "participant", "--participant-label", *labels[:2], *FAST, "--skip-bids-validation",
        "--n-procs", 2, cwd=tmp_path,
    )  # fmt: skip
    assert code == 0, said
    assert participants(out) == [f"sub-{label}" for label in labels[:2]]
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    code, said = app(
        data_set, out, "participant", *FAST, "--participant_label", f"sub-{labels[2]}", cwd=tmp_path
    )
    assert code == 0, said
    assert participants(out) == [f"sub-{label}" for label in labels]
    assert len(list(out.glob("sub-*/anat/*_desc-brain_mask.nii.gz"))) == 3
    (out / "participants.tsv").unlink()
    assert app(data_set, out, "group", cwd=tmp_path)[0] == 0
    assert participants(out) == [f"sub-{label}" for label in labels]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["participant", "--participant-label", "99", *FAST], "only=sub-99 fits none of its subjects"),
        (["participant", "--frobnicate"], "--frobnicate: is no option of brainseg-bids"),
        (["participant", "skullstriper=otsu"], "skullstriper"),
    ],
)
def test_what_cannot_be_is_one_line(data_set, tmp_path, arguments, said):
    code, out = app(data_set, tmp_path / "out", *arguments, cwd=tmp_path)
    assert code == 2
    assert said in out
    assert out.count("\n") == 1


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    code, said = app(tmp_path, tmp_path / "out", "participant", cwd=tmp_path)
    assert (code, said.count("\n")) == (2, 1)
    assert "has no dataset_description.json, so it is no BIDS data set" in said
