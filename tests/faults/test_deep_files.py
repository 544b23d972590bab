"""JSON that is nested too deeply, too large or something else is named in one line."""

import json

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from typer.testing import CliRunner

from brainseg.bids.tables import write_tables
from brainseg.commands.cli import app
from brainseg.config import check_predict, conf_dir, plain, register_schemas
from brainseg.config.errors import DataError, UnreadableError, UserError
from brainseg.files.plain import MOST_JSON_BYTES, read_json
from brainseg.images.bids import is_derivative
from brainseg.images.layouts import find_subjects
from brainseg.results.read import all_results, read_result
from brainseg.results.verify import changes
from brainseg.study.grid.page import write_grid_page

DEEP = ["[" * 100_000, '{"a":' * 100_000, "[" * 900 + "]" * 900, '{"a":' * 150 + "1" + "}" * 150]
OTHER = ["", "{", "[]", "3", "null", "\xff\xfe", '{"a": NaN, "a"}', "9" * 10_000]


def written(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode("latin-1"))
    return folder


@pytest.mark.parametrize("text", [*DEEP, *OTHER])
def test_a_result_that_cannot_be_read_is_named_and_the_others_are_listed(tmp_path, text, result_json):
    written(tmp_path / "bad", "result.json", text)
    written(tmp_path / "good", "result.json", json.dumps(result_json("good")))
    bad, good = all_results(tmp_path)
    assert good.subject == "good"
    assert bad.verdict == "unreadable"
    assert bad.error.count("result.json") == 1
    with pytest.raises(DataError, match="predict the subject again"):
        read_result(tmp_path / "bad")
    assert "result.json" in " ".join(changes(tmp_path / "bad"))


@pytest.mark.parametrize("command", ["verify", "reproduce"])
@pytest.mark.parametrize("text", DEEP)
def test_the_commands_on_a_result_end_in_a_line(tmp_path, command, text):
    done = CliRunner().invoke(app, [command, str(written(tmp_path / "bad", "result.json", text))])
    assert done.exit_code in (1, 2), done.exception
    assert "result.json" in done.stderr


@pytest.mark.parametrize("settings", ["${oc.env:SECRET_OF_A_TEST}", ["${oc.env:SECRET_OF_A_TEST}"], 3, None])
@pytest.mark.parametrize("key", ["labels", "input", "segmenter", "window"])
def test_what_a_result_says_of_its_settings_is_not_looked_up(
    tmp_path, key, settings, monkeypatch, result_json
):
    monkeypatch.setenv("SECRET_OF_A_TEST", "hunter2")
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        options = OmegaConf.structured(check_predict(compose("predict", ["input=x", "output=y"])))
    result = result_json("x", settings={"values": {**plain(options), key: settings}, "sha256": ""})
    written(tmp_path / "a", "result.json", json.dumps(result))
    done = CliRunner().invoke(app, ["reproduce", str(tmp_path / "a")])
    assert done.exit_code == 2, done.exception
    assert "hunter2" not in done.output + done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", [*DEEP, *OTHER])
def test_a_description_that_cannot_be_read_is_no_derivative_and_no_end(tmp_path, text):
    written(tmp_path, "dataset_description.json", text)
    assert is_derivative(tmp_path) is False


@pytest.mark.parametrize("text", [*DEEP, *OTHER])
def test_an_msd_description_that_cannot_be_read_is_named(tmp_path, text):
    written(tmp_path, "dataset.json", text)
    for folder in ("imagesTr", "labelsTr"):
        written(tmp_path / folder, "BRATS_001.nii.gz", "x")
    with pytest.raises(UserError, match=r"dataset\.json"):
        find_subjects(tmp_path)


@pytest.mark.parametrize("text", [*DEEP, *OTHER])
def test_a_bids_table_beside_a_file_that_cannot_be_read_is_named(tmp_path, text):
    written(tmp_path / "results", "sub-1.json", text)
    with pytest.raises(UnreadableError, match=r"sub-1\.json: cannot be read"):
        write_tables(tmp_path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(MOST_JSON_BYTES + 1)
    with pytest.raises(UnreadableError, match=r"large\.json: cannot be read, it has more than 16384 kB"):
        read_json(tmp_path / "large.json")


def test_json_of_ours_is_read_as_it_was_written(tmp_path):
    values = {"a": [{"b": [1.5, None, True]}], "c": "ü"}
    (tmp_path / "a.json").write_text(json.dumps(values))
    assert read_json(tmp_path / "a.json") == values


@pytest.mark.parametrize("word", ["seed=range(0,1000000000)", "a=1,2,3,4,5,6,7,8,9"])
def test_a_sweep_that_asks_for_more_jobs_than_memory_holds_is_refused(tmp_path, word):
    config = {
        "task": "classifier", "seed": 0, "test": True, "trainer": {"max_epochs": 2},
        "data": {"_target_": "brainseg.data.KaggleSlices"},
        "classifier": {
            "backbone": "vgg16", "loss": "l", "optimizer": "o", "head": "linear", "batch_size": 2,
            "pretrained": False, "weights": None, "preprocess": {"size": 64, "normalise": "unit"},
        },
        "hydra": {
            "sweeper": {"_target_": "x.BasicSweeper", "params": None},
            "launcher": {"_target_": "x.BasicLauncher"},
            "overrides": {"task": [word.replace("a=", f"k{i}=") for i in range(5)]},
        },
    }  # fmt: skip
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match="the sweep asks for more than 10000 jobs"):
        write_grid_page(tmp_path)
