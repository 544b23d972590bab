"""A cohort shared out to several processes has the results and tables that one process makes."""

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.defaults import with_defaults
from brainseg.config.errors import DataError
from brainseg.images.found import Survey
from brainseg.images.subject import Subject
from brainseg.phantom import write_cohort
from brainseg.prediction.run import run
from brainseg.results.read import all_results, subject_folders
from brainseg.results.verify import batch_changes

FAST = ("skullstripper=otsu", "gates=none", "page=false", "montage=false", "pipeline.stages=[strip]")
TIME = re.compile(rb'"(?:seconds|peak_memory_mb)": \{[^}]*\}')


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort") / "brats"
    write_cohort(folder, layout="brats", subjects=6, seed=1, spacing_mm=8.0)
    return folder


def predicting(*overrides, cwd):
    command = [sys.executable, "-m", "brainseg", "predict", *overrides, *FAST]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def here(*overrides):
    """The exit code of a prediction in this process, for what needs none of its own."""
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return run(check_predict(compose("predict", [*overrides, *FAST])))


def predicted(*overrides, cwd):
    process = predicting(*overrides, cwd=cwd)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def tables(output):
    return {name: (output / name).read_bytes() for name in ("volumes.csv", "files.csv")}


@pytest.fixture(scope="module")
def of_one(cohort, tmp_path_factory):
    place = tmp_path_factory.mktemp("one")
    assert here(f"input={cohort}", f"output={place}/out") == 0
    return place / "out"


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
def test_every_subject_is_of_one_shard(n):
    subjects = [Subject(f"sub-{k}", Path(), "loose", {}) for k in range(10)]
    shares = [[one.id for one in Survey(subjects, []).share(k, n).subjects] for k in range(n)]
    assert sorted(name for share in shares for name in share) == sorted(one.id for one in subjects)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Survey(subjects, []).share(None, n).subjects == subjects


def test_two_processes_leave_the_tables_of_one(cohort, of_one, tmp_path):
    code, said = predicted(f"input={cohort}", f"output={tmp_path}/out", "shards=2", cwd=tmp_path)
    assert code == 0
    assert "6 subjects in 2 processes\n" in said
    assert said.count("ended with exit code 0") == 2
    assert tables(tmp_path / "out") == tables(of_one)
    assert batch_changes(tmp_path / "out") == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in of_one.iterdir()}
    for folder in subject_folders(of_one):
        (mine,) = [one for one in subject_folders(tmp_path / "out") if one.name == folder.name]
        masks = [path.name for path in folder.glob("*.nii.gz")]
        assert masks
        assert all((mine / name).read_bytes() == (folder / name).read_bytes() for name in masks)


def test_shards_as_jobs_of_a_sweep_write_into_one_output(cohort, of_one, tmp_path):
    out = f"output={tmp_path}/out"
    code, said = predicted("-m", "shard=0,1,2", "shards=3", f"input={cohort}", out, cwd=tmp_path)
    assert code == 0, said
    assert tables(tmp_path / "out") == tables(of_one)


def test_one_shard_leaves_the_others_results_and_rows(cohort, of_one, tmp_path, capsys):
    out = f"output={tmp_path}/out"
    assert here(f"input={cohort}", out, "shards=2", "shard=1") == 0
    assert [one.subject for one in all_results(tmp_path / "out")] == [
        one.subject for one in all_results(of_one)
    ][1::2]
    assert here(f"input={cohort}", out, "shards=2", "shard=0") == 0
    assert tables(tmp_path / "out") == tables(of_one)
    capsys.readouterr()
    assert here(f"input={cohort}", out, "shards=2") == 0
    assert "6 of them were done before" in capsys.readouterr().out


def test_what_a_killed_shard_has_left_is_predicted_by_the_command_again(cohort, of_one, tmp_path):
    out = tmp_path / "out"
    process = predicting(f"input={cohort}", f"output={out}", "shards=2", cwd=tmp_path)
    until = time.monotonic() + 120
    while not list(out.glob("*/result.json")) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert predicted(f"input={cohort}", f"output={out}", "shards=2", cwd=tmp_path)[0] == 0
    assert tables(out) == tables(of_one)
    assert batch_changes(out) == []


def test_the_worst_shard_gives_the_exit_code(cohort, tmp_path):
    bad = tmp_path / "in"
    write_cohort(bad, layout="brats", subjects=2, seed=1, spacing_mm=8.0)
    (scan,) = sorted(bad.glob("*/*_t1.nii.gz"))[1:]
    scan.write_bytes(scan.read_bytes()[:200])
    for n, how in enumerate((["shards=2"], ["-m", "shards=2", "shard=1,0"])):
        code, said = predicted(*how, f"input={bad}", f"output={tmp_path}/{n}", cwd=tmp_path)
        assert code == 4, said
        assert [str(one.verdict) for one in all_results(tmp_path / str(n))] == ["not judged", "fail"]
        rows = list(csv.DictReader((tmp_path / str(n) / "volumes.csv").open()))
        assert len(rows) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["shards=2", "shard=2", "output=out"],
            "shard=2 is none of 0 to 1; set shards= to the number",
        ),
        (["shard=1"], "shard=1 is none of 0 to 0"),
        (["shards=2", "shard=1"], "shard=1 needs output=DIR, the one folder that all shards write into"),
        (["shards=0"], "shards must be at least 1"),
    ],
)
def test_a_shard_that_cannot_be_is_one_line(cohort, tmp_path, given, said):
    code, out = predicted(f"input={cohort}", *given, cwd=tmp_path)
    assert code == 2
    assert said in out
    assert out.count("\n") == 1


def test_settings_of_an_earlier_version_get_the_values_of_keys_that_are_newer():
    values = with_defaults({"input": "a", "output": "b", "names": "hash", "gates": None})
    assert (values["shards"], values["shard"], values["names"], values["gates"]) == (1, None, "hash", None)
    assert values["choose"]["words"]
    assert values["pipeline"]["stages"]
    assert "hydra" not in values
    older = with_defaults({"gates": {"brain_cut_cm2": {"review": [None, 30]}, "noise": None}})["gates"]
    assert older["noise"] is None
    assert "brain_cut_cm2" not in older
    assert older["brain_cut_off"]


def test_only_some_subjects_are_predicted_and_one_that_is_not_there_is_refused(cohort, tmp_path):
    given = (f"input={cohort}", f"output={tmp_path}/out")
    assert here(*given, "only=[BraTS2021_00001,*3,*4]") == 0
    assert [one.subject[-1] for one in all_results(tmp_path / "out")] == ["1", "3", "4"]
    rows = list(csv.DictReader((tmp_path / "out" / "files.csv").open()))
    assert {row["subject"][-1] for row in rows} == {"1", "3", "4"}
    with pytest.raises(DataError, match=r"only=p7 fits none of its subjects, such as BraTS2021_00000, "):
        here(*given, "only=[p7]")


def test_an_id_stands_for_its_sessions():
    subjects = [
        Subject(name, Path(), "bids", {}) for name in ("sub-1", "sub-10", "sub-1_ses-a", "sub-1_ses-b")
    ]
    found = Survey(subjects, [])
    assert [one.id for one in found.only(["sub-1"], "x").subjects] == ["sub-1", "sub-1_ses-a", "sub-1_ses-b"]
    assert [one.id for one in found.only(["sub-*_ses-b"], "x").subjects] == ["sub-1_ses-b"]
