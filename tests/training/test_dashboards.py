"""What each service would show of a whole training, read back from what the training wrote for it."""

import csv
import json

import pytest

from brainseg.config import ConfigError, check
from brainseg.training.train import train

TWO_EPOCHS = ["trainer.max_epochs=2", "classifier.epochs=2", "test=true"]


@pytest.fixture
def run(composed, tiny, tmp_path):
    """Train a tiny model with some overrides, and give its folder."""

    def _run(task, *overrides):
        cfg = composed(*tiny(task), *overrides)
        check(cfg)
        train(cfg)
        return tmp_path

    return _run


def scores_of(folder):
    return json.loads((folder / "scores.json").read_text())


def validated(folder, name):
    rows = csv.DictReader((folder / "metrics.csv").open())
    return [float(row[name]) for row in rows if row.get(name)]


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_wandb_shows_the_best_and_all_scores_of_a_classifier(run, shown):
    folder = run("classifier", "logger=wandb", "logger.wandb.log_model=true", *TWO_EPOCHS)
    [one] = shown(folder)
    accuracies = validated(folder, "val/accuracy")
    assert one.summary["val/accuracy"] == {"max": pytest.approx(max(accuracies))}
    assert one.summary["best/epoch"] == accuracies.index(max(accuracies))
    assert one.summary["best/val/accuracy"] == pytest.approx(max(accuracies))
    assert {"best/val/loss", "best/val/f1_macro", "test/accuracy"} <= set(one.summary)

    scores = scores_of(folder)
    assert one.summary["scores/accuracy"] == pytest.approx(scores["accuracy"]["value"])
    assert one.summary["scores/accuracy/low"] == pytest.approx(scores["accuracy"]["low"])
    assert one.summary["scores/classes/glioma/n"] == scores["classes"]["glioma"]["n"]
    assert "scores/uncalibrated/calibration_error" in one.summary
    charts = one.config["_wandb"]["visualize"]
    assert charts["test/confusion_matrix"]["panel_config"]["panelDefId"] == "wandb/confusion_matrix/v1"
    assert charts["test/precision_recall"]["panel_config"]["panelDefId"] == "wandb/area-under-curve/v0"
    assert one.curve("test/confusion")[0]["count"] == 1

    assert one.config["model"]["parameters"] > 100_000
    assert one.config["parts"] == {part: len(ids) for part, ids in split_of(folder).items()}
    assert len(one.config["data_sha256"]) == len(one.config["split_sha256"]) == 64
    assert {"processor", "system", "python", "device"} <= set(one.config["machine"])
    assert one.config["classifier"]["backbone"] == "test_resnet"

    assert len(one.curve("step/loss")) == len(one.curve("step/gradient_norm")) == 2  # a batch an epoch
    assert all(speed > 0 for speed in one.curve("step/samples_per_second"))
    assert len(one.curve("step/learning_rate")) == 2
    names = [caption.split(", ")[0] for caption in one.curve("panels")[0]["captions"]]
    assert set(names) <= set(split_of(folder)["val"])

    models = [found for found in one.artifacts.values() if found["type"] == "model"]
    kept = {alias: found for found in models for alias in found["aliases"] if alias != "latest"}
    assert kept["best"]["files"] == ["best.ckpt"]
    assert set(kept) == {"best", "last"}
    assert kept["best"]["about"]["data_sha256"] == one.config["data_sha256"]
    assert kept["best"]["about"]["split_sha256"] == one.config["split_sha256"]
    assert kept["best"]["about"]["sha256"] == digest(folder / "checkpoints" / "best.ckpt")
    assert one.exit_code == 0


def split_of(folder):
    return json.loads((folder / "split.json").read_text())


def digest(path):
    from brainseg.files.atomic import sha256

    return sha256(path)


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_a_resumed_run_is_the_same_one(composed, tiny, tmp_path, shown):
    arguments = [*tiny("segmenter"), "logger=[csv,wandb]", "test=false", "segmenter.epochs=2"]
    train(composed(*arguments, "trainer.max_epochs=1"))
    train(composed(*arguments, "trainer.max_epochs=2", f"resume={tmp_path}/checkpoints/last.ckpt"))
    first, second = shown(tmp_path)
    assert first.id == second.id == json.loads((tmp_path / "trackers.json").read_text())["wandb"]
    assert first.curve("trainer/global_step")[-1] < second.curve("trainer/global_step")[0] + 1
    dices = validated(tmp_path, "val/dice/mean")
    assert second.summary["best/val/dice/mean"] == pytest.approx(max(dices))
    assert second.curve("panels")[:1] == []  # due in epochs 0, 5, ...
    captions = first.curve("panels")[0]["captions"]
    assert [caption.split(",")[0] for caption in captions] == split_of(tmp_path)["val"][: len(captions)]
    train(composed(*arguments, "trainer.max_epochs=1", "overwrite=true"))
    assert shown(tmp_path)[-1].id != first.id  # a new run in an old folder


@pytest.mark.slow
def test_tensorboard_has_curves_pictures_and_the_best_beside_the_settings(run):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = run("classifier", "logger=tensorboard", *TWO_EPOCHS)
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    tags = events.Tags()
    assert {"val/accuracy", "train/loss", "step/loss", "best/val/accuracy", "scores/accuracy"} <= set(
        tags["scalars"]
    )
    assert {"test/confusion"} <= set(tags["images"])
    assert any(tag.startswith("panels") for tag in tags["images"])
    assert any(tag.startswith("cases") for tag in tags["tensors"])
    assert "test/precision_recall/glioma" in tags["tensors"]
    [best] = events.Scalars("best/val/accuracy")
    assert best.value == pytest.approx(max(validated(folder, "val/accuracy")))


@pytest.mark.slow
def test_mlflow_has_parameters_metrics_and_files_and_goes_on(run, composed, tiny, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    outputs = f"paths.outputs={tmp_path}/outputs"
    options = ["logger=mlflow", "logger.mlflow.log_model=best", outputs, "classifier.epochs=2"]
    folder = run("classifier", *options, "trainer.max_epochs=1")
    resume = f"resume={tmp_path}/checkpoints/last.ckpt"
    train(composed(*tiny("classifier"), *options, "trainer.max_epochs=2", resume))

    client = MlflowClient(f"sqlite:///{tmp_path}/outputs/mlflow.db")
    [experiment] = client.search_experiments(filter_string="name = 'brainseg'")
    [one] = client.search_runs([experiment.experiment_id])
    assert one.info.status == "FINISHED"
    assert one.data.params["classifier.backbone"] == "test_resnet"
    assert int(one.data.params["model.parameters"]) > 100_000
    metrics = one.data.metrics
    assert metrics["best/val/accuracy"] == pytest.approx(max(validated(folder, "val/accuracy")))
    assert metrics["scores/accuracy"] == pytest.approx(scores_of(folder)["accuracy"]["value"])
    files = {file.path for top in client.list_artifacts(one.info.run_id) for file in [top]}
    assert {"panels", "cases", "models", "confusion.png"} <= files
    kept = {file.path for file in client.list_artifacts(one.info.run_id, "models")}
    assert kept == {"models/best.ckpt", "models/best.json"}


def test_a_missing_package_is_one_line(composed, monkeypatch):
    from brainseg.config import loggers

    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError,
        match=r'^logger=mlflow: the package mlflow is not installed; pip install "brainseg\[mlflow\]"$',
    ):
        check(composed("model=segmenter", "data=phantom", "logger=[csv,mlflow]"))


@pytest.mark.parametrize("value", ["all", "yes", "2", "null", "[best]"])
def test_log_model_is_a_closed_list(composed, value):
    with pytest.raises(ConfigError, match=r"logger.wandb.log_model takes true, best or false, got"):
        check(composed("logger=wandb", f"logger.wandb.log_model={value}"))


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "http://nowhere.invalid:80"])
def test_without_a_route_a_training_ends_at_once(composed, tiny, tmp_path, monkeypatch, server):
    monkeypatch.setenv("WANDB_BASE_URL", server)
    monkeypatch.setenv("WANDB_MODE", "online")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        ConfigError, match=rf"^logger=wandb: {server} cannot be reached \(.+\); WANDB_MODE=off"
    ):
        train(composed(*tiny("segmenter"), "logger=wandb"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    with pytest.raises(ConfigError, match=rf"^logger=mlflow: {server} cannot be reached"):
        train(composed(*tiny("segmenter"), "logger=mlflow"))
    assert not (tmp_path / "data").exists()  # no phantom was painted for it


def test_no_network_is_used_unless_a_logger_asks_for_it(composed, tiny, monkeypatch):
    from brainseg.callbacks.loggers import route

    asked = []
    monkeypatch.setattr(route, "_reach", lambda *told: asked.append(told))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for logger in ("csv", "wandb", "tensorboard", "mlflow", "[csv,wandb,tensorboard]"):
        route.refuse_unreachable(composed(*tiny("segmenter"), f"logger={logger}"))
    assert asked == []


@pytest.mark.parametrize(("given", "expected"), [(None, "sweep"), ("mine", "mine")])
def test_jobs_of_a_sweep_are_one_group_unless_another_is_named(tmp_path, given, expected):
    from brainseg.callbacks.loggers import Wandb
    from brainseg.callbacks.loggers.identity import identity_in

    logger = Wandb(project="p", save_dir=tmp_path, group=given)
    logger.begin(identity_in(tmp_path, "wandb", resumed=False), "sweep")
    assert logger._wandb_init["group"] == expected
    first = identity_in(tmp_path, "wandb", resumed=True).run
    assert first == logger._wandb_init["id"]
    (tmp_path / "trackers.json").write_text("{")  # damaged: a new run is begun
    assert identity_in(tmp_path, "wandb", resumed=True).run is None
