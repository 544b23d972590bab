"""What must not change a result: when a run was stopped, how many workers load it, the seed's neighbours."""

import json

import pytest
import torch
from hydra import compose, initialize_config_dir

from brainseg.checkpoint import read_checkpoint
from brainseg.config import ConfigError, conf_dir, register_schemas
from brainseg.training.train import train


@pytest.fixture
def weights_after(tiny, tmp_path):
    """The weights of last.ckpt after a tiny run in a folder of its own; phantoms and cache are shared."""

    def _run(
        folder: str, *overrides: str, task: str = "segmenter", data: tuple[str, ...] = ()
    ) -> dict[str, torch.Tensor]:
        register_schemas()
        fixed = [f"paths.run={tmp_path / folder}", f"paths.data={tmp_path / 'data'}", "test=false"]
        more = ["trainer.max_epochs=2", "trainer.limit_train_batches=null", *overrides]
        base = [one for one in tiny(task) if not (data and one.startswith("data"))]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            train(compose("train", [*base, *data, f"{task}.epochs=2", *fixed, *more]))
        stored = torch.load(tmp_path / folder / "checkpoints" / "last.ckpt", weights_only=True)
        return stored["state_dict"]

    return _run


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def differs(one, other):
    return any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("task", ["segmenter", "classifier"])
@pytest.mark.parametrize("scheduler", ["one_cycle", "cosine"])
def test_a_resumed_run_ends_with_the_weights_of_one_that_was_never_stopped(
    weights_after, tmp_path, task, scheduler
):
    dropout = f"{task}.dropout=0.2" if task == "segmenter" else "classifier.head=mlp"
    settings = (f"{task}.scheduler={scheduler}", dropout)
    straight = weights_after("straight", *settings, task=task)
    stopped = weights_after("stopped", "trainer.max_epochs=1", *settings, task=task)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    resumed = weights_after("resumed", f"resume={last}", *settings, task=task)
    assert differs(straight, stopped)
    assert_same(straight, resumed)


@pytest.mark.parametrize("task", ["segmenter", "classifier"])
def test_a_resumed_run_is_exact_where_the_device_changes_the_samples(weights_after, tmp_path, task):
    settings = ("trainer.augment_on_device=true",)
    straight = weights_after("straight", *settings, task=task)
    weights_after("stopped", "trainer.max_epochs=1", *settings, task=task)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    assert_same(straight, weights_after("resumed", f"resume={last}", *settings, task=task))


def test_a_resumed_run_is_exact_where_the_device_paints(weights_after, tmp_path):
    data = ("data=heads", "data.heads=4", "data.val_share=0.25", "data.workers=0")
    heads = {"task": "skullstripper", "data": data}
    settings = ("skullstripper.preprocess.modalities=[any]", "trainer.augment_on_device=true")
    straight = weights_after("straight", *settings, **heads)
    weights_after("stopped", "trainer.max_epochs=1", *settings, **heads)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    assert_same(straight, weights_after("resumed", f"resume={last}", *settings, **heads))
    cpu = weights_after("cpu", settings[0], **heads)
    assert differs(straight, cpu)  # whose grains are others


def test_a_resumed_run_goes_on_with_both_the_weights_and_their_mean(weights_after, tmp_path):
    settings = ("segmenter.ema=0.8", "segmenter.subsets=any", "segmenter.subset_share=0.5")
    straight = weights_after("straight", *settings)
    weights_after("stopped", "trainer.max_epochs=1", *settings)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    resumed = weights_after("resumed", f"resume={last}", *settings)
    assert_same(straight, resumed)
    states = [
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["current_model_state"]
        for name in ("straight", "resumed")
    ]
    assert_same(*states)
    assert differs(straight, states[0])  # the mean is what is kept to predict with


def test_a_run_that_starts_from_a_checkpoint_and_learns_nothing_ends_with_its_weights(
    weights_after, tmp_path
):
    first = weights_after("first")
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    still = ("segmenter.scheduler=constant", "menu.optimizer.adamw.lr=0.0", "seed=1", "data.seed=0")
    assert differs(first, weights_after("fresh", *still))
    assert_same(first, weights_after("second", f"start_from={last}", *still))
    assert started_from(tmp_path, "first") is None
    assert started_from(tmp_path, "second")["seed"] == 0


def test_a_resumed_run_knows_what_it_started_from_without_being_told_again(weights_after, tmp_path):
    weights_after("first")
    first, stopped = (tmp_path / name / "checkpoints" / "last.ckpt" for name in ("first", "stopped"))
    weights_after("stopped", f"start_from={first}", "trainer.max_epochs=1", "seed=1", "data.seed=0")
    weights_after("resumed", f"resume={stopped}", "seed=1", "data.seed=0")
    assert started_from(tmp_path, "resumed")["seed"] == 0


def started_from(folder, name):
    stored = read_checkpoint(folder / name / "checkpoints" / "last.ckpt")
    return stored["brainseg"]["run"]["started_from"]


def test_a_start_is_refused_beside_pretrained_weights(composed, tiny, tmp_path):
    given = ["classifier.pretrained=true", f"start_from={tmp_path / 'best.ckpt'}"]
    with pytest.raises(ConfigError, match=r"^pretrained=true and start_from=.* both give the first weights"):
        train(composed(*tiny("classifier"), *given))


@pytest.mark.slow
def test_the_number_of_loader_processes_does_not_change_what_is_learnt(weights_after):
    assert_same(weights_after("none"), weights_after("two", "data.workers=2"))


def test_the_same_seed_gives_the_same_weights_and_another_one_others(weights_after):
    first = weights_after("first")
    assert_same(first, weights_after("again"))
    assert differs(first, weights_after("other", "seed=1", "data.seed=0"))


def test_the_split_is_written_beside_the_run_and_follows_the_data_s_seed_alone(weights_after, tmp_path):
    splits = []
    for folder, seed in (("a", 0), ("b", 1)):
        weights_after(folder, f"seed={seed}", "data.seed=0")
        splits.append(json.loads((tmp_path / folder / "split.json").read_text()))
    assert splits[0] == splits[1]
    assert not set(splits[0]["train"]) & set(splits[0]["val"])
