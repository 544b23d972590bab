"""The pictures of a set of runs: on a page of our own, and in a workspace of W&B that a stand-in receives."""

import csv
import json

import pytest
import yaml

from brainseg.compare.dashboard import run_sets, write_dashboard
from brainseg.compare.wandb_workspace import write_workspace
from brainseg.config.errors import UserError


def write_run(folder, values, curve, *, mode="max", **settings):
    """A run with an accuracy for each epoch and some settings, of which "a.b" is b in the section a."""
    config = {
        "task": "classifier",
        "name": folder.name,
        "seed": 0,
        "classifier": {"monitor": "val/accuracy", "monitor_mode": mode, "optimizer": "adamw"},
        "trainer": {"max_epochs": 3},
        "paths": {"run": str(folder)},
    }
    for key, value in {**values, **settings}.items():
        *outer, last = key.split(".")
        place = config
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    if curve:
        with (folder / "metrics.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["epoch", "step", "val/accuracy", "train/loss"])
            table.writerows([epoch, epoch, value, 1.0] for epoch, value in enumerate(curve))


@pytest.fixture
def sweep(tmp_path):
    """Two backbones with two learning rates, one cell with two seeds, and a run without an epoch."""
    folder = tmp_path / "sweep"
    accuracy = iter((0.5, 0.9, 0.6, 0.7))
    for backbone in ("vgg16", "resnet50"):
        for lr in (0.01, 0.001):
            best = next(accuracy)
            values = {"classifier.backbone": backbone, "menu.optimizer.adamw.lr": lr}
            write_run(folder / f"{backbone}_{lr}", values, [0.3, best, best - 0.2])
    values = {"classifier.backbone": "vgg16", "menu.optimizer.adamw.lr": 0.01}
    write_run(folder / "again", values, [0.3, 0.4, 0.52], seed=1)
    write_run(folder / "waiting", values, [], seed=2)
    return folder


def test_runs_are_told_apart_by_what_differs_and_the_best_epoch_counts(sweep):
    [one] = run_sets([sweep])
    assert one.keys == ["classifier.backbone", "menu.optimizer.adamw.lr"]
    assert [(run.folder.name, run.value("accuracy"), run.best_epoch) for run in one.runs][:2] == [
        ("vgg16_0.001", 0.9, 1),  # not its last epoch, 0.7
        ("resnet50_0.001", 0.7, 1),
    ]
    assert [run.folder.name for run in one.waiting] == ["waiting"]


def test_the_heat_map_has_a_cell_for_each_pair_and_the_mean_of_its_seeds(sweep):
    [one] = run_sets([sweep])
    heat = one.figures()["heat map"].axes[0]
    assert [heat.get_ylabel(), heat.get_xlabel()] == one.keys
    assert [label.get_text() for label in heat.get_yticklabels()] == ["resnet50", "vgg16"]
    assert [label.get_text() for label in heat.get_xticklabels()] == ["0.001", "0.01"]  # by size
    assert {text.get_text() for text in heat.texts} == {"0.7", "0.6", "0.9", "0.51\n(2 runs)"}


def test_boxes_have_a_box_for_each_level_and_a_point_for_each_run(sweep):
    [one] = run_sets([sweep])
    boxes = one.figures()["boxes"].axes
    assert [axes.get_title() for axes in boxes] == one.keys
    assert [label.get_text() for label in boxes[0].get_xticklabels()] == ["resnet50\n(2)", "vgg16\n(3)"]


def test_curves_are_named_by_what_differs_and_by_the_seed_where_there_are_several(sweep):
    [one] = run_sets([sweep])
    [legend] = one.figures()["curves"].legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[0] == "backbone=vgg16, lr=0.001, seed=0"
    assert len(set(names)) == 5


def test_the_page_needs_nothing_beside_it(sweep, tmp_path):
    page = write_dashboard(run_sets([sweep]), tmp_path / "out")
    text = page.path.read_text()
    assert text.count("data:image/png;base64,") == 3
    assert "Left out are runs without an epoch yet: 1." in text
    assert page.lines == (f"best of 5 runs: val/accuracy 0.9000 in epoch 1, {sweep / 'vgg16_0.001'}",)


def test_a_single_run_and_a_loss_make_a_page(tmp_path):
    write_run(tmp_path / "one", {}, [0.5, 0.2, 0.4], mode="min")
    page = write_dashboard(run_sets([tmp_path]), tmp_path / "out")
    assert "0.2000 in epoch 1" in page.lines[0]


def test_a_damaged_run_is_named_and_left_out(sweep, tmp_path, caplog):
    (sweep / "again" / ".hydra" / "config.yaml").write_text("a: [")
    [one] = run_sets([sweep])
    assert len(one.runs) == 4
    assert f"a run is left out: {sweep / 'again'}" in caplog.text


def test_a_folder_without_runs_is_said(tmp_path):
    with pytest.raises(UserError, match="no run of a training here; give folders of outputs, runs or sweeps"):
        run_sets([tmp_path])


@pytest.fixture
def received(monkeypatch):
    """What would be sent to W&B, each workspace as it is sent."""
    internal = pytest.importorskip("wandb_workspaces.workspaces.internal")
    views = []

    def upsert(view):
        views.append((view, json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))))
        return {"upsertView": {"view": {"name": view.name, "id": "VmlldzoxMjM="}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    interface = pytest.importorskip("wandb_workspaces.workspaces.interface")
    monkeypatch.setattr(interface.wandb, "Api", lambda: None)
    monkeypatch.setattr(interface, "get_app_url", lambda api: "https://wandb.ai")
    return views


@pytest.mark.usefixtures("offline")
def test_the_workspace_shows_the_pictures_the_grid_and_the_curves(
    sweep, tmp_path, received, shown, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    saved = tmp_path / "workspace.json"
    address = write_workspace("team/brains", run_sets([sweep]), saved)
    assert address.startswith("https://wandb.ai/team/brains?nw=")
    [(view, spec)] = received
    assert (view.entity, view.project, view.display_name) == ("team", "brains", "brainseg")
    sections = {one["name"]: one["panels"] for one in spec["section"]["panelBankConfig"]["sections"]}
    media, parallel, *bars = sections["Grid: val/accuracy"]
    names = [f"dashboard/val/accuracy/{name}" for name in ("heat map", "boxes", "curves")]
    assert media["config"]["mediaKeys"] == names
    assert [column["accessor"] for column in parallel["config"]["columns"]] == [
        "config:classifier.value.backbone",
        "config:menu.value.optimizer.adamw.lr",
        "summary:best/val/accuracy",
    ]
    assert [bar["config"]["metrics"] for bar in bars] == [["best/val/accuracy"]] * 2
    assert [line["config"]["metrics"] for line in sections["Curves"]] == [
        ["val/accuracy"], ["val/loss"], ["train/loss"]
    ]  # fmt: skip
    assert sections["Worst and best cases"][0]["config"]["mediaKeys"] == ["panels"]
    [pictures] = shown(tmp_path)
    assert all(pictures.curve(name) for name in names)

    write_workspace("team/brains", run_sets([sweep]), saved)
    assert received[1][0].name == view.name  # the same one, replaced
    assert received[1][0].id == "VmlldzoxMjM="


def test_a_wrong_project_and_a_refusal_are_one_line(sweep, tmp_path, received, monkeypatch):
    with pytest.raises(UserError, match=r"^--wandb takes ENTITY/PROJECT.*, got brains$"):
        write_workspace("brains", run_sets([sweep]), tmp_path / "w.json")
    from brainseg.compare import wandb_workspace

    monkeypatch.setattr(wandb_workspace, "_show_pictures", lambda *_: _refuse())
    with pytest.raises(UserError, match=r"^W&B did not take the workspace a/b: permission denied$"):
        write_workspace("a/b", run_sets([sweep]), tmp_path / "w.json")


def _refuse():
    raise ValueError("permission denied\nand more")
