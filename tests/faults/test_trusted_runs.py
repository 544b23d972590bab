"""A run's folder from elsewhere names data and values; it cannot choose what is run, read or waited for."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from typer.testing import CliRunner

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.commands.cli import app
from brainseg.config.errors import UserError
from brainseg.study.classifier_page import write_classifier_page
from brainseg.study.grid.page import write_grid_page
from brainseg.training.train import train

TASKS = {"segmentation": "segmenter", "skullstrip": "skullstripper"}


@pytest.fixture
def run(trained, tmp_path):
    """Makes a run of a task with some keys of its config changed; its checkpoint is a real one."""

    def _run(task, **changes):
        cfg, checkpoint = trained(task)
        folder = tmp_path / task
        (folder / ".hydra").mkdir(parents=True)
        (folder / "checkpoints").symlink_to(checkpoint.parent)
        (folder / "split.json").symlink_to(checkpoint.parents[1] / "split.json")
        config = OmegaConf.to_container(cfg, enum_to_str=True)
        for key, value in changes.items():
            section, _, name = key.rpartition("__")
            (config[section] if section else config)[name] = value
        (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    return _run


@pytest.fixture
def payload(tmp_path, monkeypatch):
    """A module that leaves a trace when anything of it is called."""
    trace = tmp_path / "executed"
    module = tmp_path / "modules" / "payload_of_a_test.py"
    module.parent.mkdir()
    module.write_text(f"def go(*args, **kwargs):\n    open({str(trace)!r}, 'w').close()\n    return 1\n")
    monkeypatch.syspath_prepend(str(module.parent))
    yield trace
    sys.modules.pop("payload_of_a_test", None)


def reported(report, folder, output):
    return CliRunner().invoke(app, ["report", report, str(folder), "--output", str(output)])


def in_one_line(done):
    """Whether a command ended by our own error."""
    assert done.exit_code == 2, done.exception
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    return done.stderr


@pytest.mark.parametrize("report", TASKS)
def test_a_report_builds_no_class_but_our_data(run, payload, report, tmp_path):
    folder = run(TASKS[report], data={"_target_": "payload_of_a_test.go", "root": "x"})
    said = in_one_line(reported(report, folder, tmp_path / "page"))
    assert "config.yaml: data._target_ is payload_of_a_test.go, which is not built" in said
    assert not payload.exists()


@pytest.mark.parametrize("report", TASKS)
@pytest.mark.parametrize("key", ["data__types", "data__root", "data__recipe", "name", "trainer__more"])
def test_a_report_builds_nothing_inside_a_value(run, payload, report, key, tmp_path):
    folder = run(TASKS[report], **{key: {"_target_": "payload_of_a_test.go"}})
    done = reported(report, folder, tmp_path / "page")
    assert done.exit_code == 0 or in_one_line(done)
    assert not payload.exists()


@pytest.mark.parametrize("key", ["resume", "start_from"])
def test_a_training_that_goes_on_builds_no_class_that_the_checkpoint_names(key, trained, payload, tmp_path):
    cfg, checkpoint = trained("skullstripper")
    stored = read_checkpoint(checkpoint)
    for part in ("loss", "optimizer", "scheduler"):
        stored["hyper_parameters"][part] = {"_target_": "payload_of_a_test.go"}
    stored["datamodule_hyper_parameters"] = {"_target_": "payload_of_a_test.go"}
    torch.save(stored, tmp_path / "strange.ckpt")
    load_model(tmp_path / "strange.ckpt")
    changed = cfg.copy()
    changed[key], changed.paths.run = str(tmp_path / "strange.ckpt"), str(tmp_path / "run")
    changed.trainer.max_epochs = 2  # one more is trained
    train(changed)
    hyper_parameters = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["hyper_parameters"]
    assert hyper_parameters["loss"]["_target_"].startswith("brainseg.losses.")
    assert not payload.exists()


@pytest.mark.parametrize("report", TASKS)
def test_a_report_reads_no_environment_for_a_config(run, report, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_A_TEST", "hunter2")
    folder = run(TASKS[report], name="${oc.env:SECRET_OF_A_TEST}")
    done = reported(report, folder, tmp_path / "page")
    assert done.exit_code == 0, done.exception
    pages = [path.read_text() for path in (tmp_path / "page").iterdir()]
    assert not any("hunter2" in text for text in [*pages, done.output])
    assert "${oc.env:SECRET_OF_A_TEST}" in done.output


def test_data_whose_place_cannot_be_known_is_refused_by_its_key(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_A_TEST", "hunter2")
    folder = run("segmenter", data__root="${oc.env:SECRET_OF_A_TEST}/brats")
    said = in_one_line(reported("segmentation", folder, tmp_path / "page"))
    assert "data.root is ${oc.env:SECRET_OF_A_TEST}/brats, which is not filled in" in said


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data__subjects", 100_000, "data.subjects is 100000, but split.json names 4"),
        ("data__subjects", "many", "data.subjects is many, but must be int"),
        ("data__fold", [1], "data.fold is [1], but must be int"),
        ("data__surprise", 1, "data.surprise is no setting of data"),
        ("data__task", "cooking", "data does not fit PhantomData"),
        ("trainer__max_epochs", "four", "trainer.max_epochs is four, but must be int"),
        ("name", 3, "name is 3, but must be str"),
        ("data", "phantom", "data is phantom, but must be dict"),
    ],
)
def test_a_config_of_other_values_is_refused_by_its_key(run, key, value, said, tmp_path):
    folder = run("segmenter", **{key: value})
    assert said in in_one_line(reported("segmentation", folder, tmp_path / "page"))


def test_the_folders_of_our_own_variables_are_found_where_the_reader_has_them(run, monkeypatch):
    from brainseg.runs.config import read_run_config

    folder = run("segmenter", paths__data="${oc.env:BRAINSEG_DATA,data}")
    assert read_run_config(folder / ".hydra" / "config.yaml")["data"]["root"] == "data/phantom"
    monkeypatch.setenv("BRAINSEG_DATA", "/elsewhere")
    config = read_run_config(folder / ".hydra" / "config.yaml")
    assert config["data"]["root"] == "/elsewhere/phantom"
    assert config["data"]["cache"] == "/elsewhere/cache"


@pytest.mark.parametrize("task", ["classifier", "segmenter", "skullstripper"])
def test_a_config_of_ours_is_read_as_omegaconf_reads_it(run, trained, task):
    from brainseg.runs.config import read_run_config

    cfg, _ = trained(task)
    ours = read_run_config(run(task) / ".hydra" / "config.yaml")
    theirs = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    for key in ("task", "name", "seed", "data", "trainer", task):
        assert ours[key] == theirs[key]


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
)
BAD_YAML = {
    "aliases": (BOMB, "aliases"),
    "depth": ("a: " + "[" * 5000, "levels"),
    "closed depth": ("a: " + "[" * 200 + "]" * 200, "levels"),
    "size": ("a: " + "x" * 300_000, "256 kB"),
    "tag": ("a: !!python/object/apply:os.getcwd []", "no plain YAML"),
    "syntax": ("a: [", "no plain YAML"),
    "value": ("a: !!int x", "no plain YAML"),
    "key": ("? [a]\n: 1", "no plain YAML"),
    "other": ("- 1", "no dict"),
    "empty": ("", "no dict"),
    "circle": ("a: ${b}\nb: ${a}", "circles"),
    "doubling": ("a: " + "${b}" * 9 + "\nb: " + "${c}" * 9 + "\nc: " + "x" * 200, "too many"),
}


@pytest.mark.parametrize("bad", BAD_YAML)
@pytest.mark.parametrize("report", ["segmentation", "skullstrip", "classifier", "grid"])
def test_a_config_that_cannot_be_read_is_refused_in_a_line_and_at_once(bad, report, tmp_path):
    text, said = BAD_YAML[bad]
    (tmp_path / ".hydra").mkdir()
    for name in (".hydra/config.yaml", "multirun.yaml"):
        (tmp_path / name).write_text(text)
    (tmp_path / "scores.json").write_text("{}")
    error = in_one_line(reported(report, tmp_path, tmp_path / "page"))
    assert "cannot be read" in error
    assert said in error


def test_bytes_that_are_no_text_are_refused_in_a_line(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_bytes(b"a: \xff\xfe")
    assert "it is no text" in in_one_line(reported("segmentation", tmp_path, tmp_path / "page"))
    os.remove(tmp_path / ".hydra" / "config.yaml")
    (tmp_path / ".hydra" / "config.yaml").mkdir()
    assert "cannot be read" in in_one_line(reported("segmentation", tmp_path, tmp_path / "page"))


@pytest.mark.parametrize("key", ["seed", "test", "trainer", "classifier", "data"])
@pytest.mark.parametrize("value", [None, [], {}, "x", "${oc.env:HOME}", {"_target_": "os.getcwd"}])
def test_a_classifier_s_config_of_other_values_is_refused_in_a_line(tmp_path, key, value):
    config = {
        "task": "classifier", "seed": 0, "test": True, "trainer": {"max_epochs": 2},
        "data": {"_target_": "brainseg.data.KaggleSlices", "split": "grouped"},
        "classifier": {"backbone": "vgg16", "monitor": "val/accuracy", "monitor_mode": "max"},
    }  # fmt: skip
    (tmp_path / ".hydra").mkdir()
    for name in (".hydra/config.yaml", "multirun.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(config | {key: value}))
    (tmp_path / "scores.json").write_text("{}")
    for write in (write_classifier_page, write_grid_page):
        with pytest.raises(UserError, match=r"(config|multirun)\.yaml: "):
            write(tmp_path, tmp_path / "page")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 200 + "]" * 200, "{", "[]", "3", "null", '{"val": 3}', "\xff"]
)
def test_a_split_that_cannot_be_read_is_refused_in_a_line(run, text, tmp_path):
    folder = run("segmenter")
    (folder / "split.json").unlink()
    (folder / "split.json").write_text(text, encoding="latin-1")
    assert "split.json" in in_one_line(reported("segmentation", folder, tmp_path / "page"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"part": "test"}', '{"part": ["test"]}', "[]"])
def test_scores_that_cannot_be_read_are_refused_in_a_line(tmp_path, text):
    config = {
        "task": "classifier", "seed": 0, "test": True, "trainer": {"max_epochs": 2},
        "data": {"_target_": "brainseg.data.KaggleSlices", "split": "grouped"},
        "classifier": {"backbone": "vgg16", "monitor": "val/accuracy", "monitor_mode": "max"},
    }  # fmt: skip
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(UserError, match=r"scores\.json"):
        write_classifier_page(tmp_path)


def test_nothing_in_the_package_reads_yaml_or_json_of_others_in_another_way():
    """Only `files.plain` may: a RecursionError or an alias bomb is a fault that each other way has."""
    package = Path(__file__).resolve().parents[2] / "brainseg"
    ways = ("yaml.load", "safe_load", "OmegaConf.load", "json.load")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(way in path.read_text() for way in ways)
    }
    own = {
        "commands/demo.py",
        "training/preflight.py",
        "sweeps/job.py",
    }  # what the same process has written a moment before
    own |= {"config/defaults.py", "config/beside.py", "config/meant.py"}  # conf/ itself
    own |= {"export/standalone/networks.py"}  # in an exported model's run.py, which has no brainseg
    manifests = {"data/cache.py", "phantom/keeping.py"}  # where any fault at all means: make it anew
    assert found <= {"files/plain.py"} | own | manifests


def test_only_a_training_instantiates_by_name():
    """What a user writes on the command line is his own; what stands in a file of a run is not."""
    package = Path(__file__).resolve().parents[2] / "brainseg"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "import instantiate" in path.read_text()
    }
    assert found <= {"training/train.py", "training/loggers.py", "tasks/base.py"}


def test_json_of_ours_is_not_too_deep(tmp_path):
    from brainseg.files.plain import read_json

    values = {"a": [{"b": [1.5, None, True]}]}
    (tmp_path / "a.json").write_text(json.dumps(values))
    assert read_json(tmp_path / "a.json") == values
