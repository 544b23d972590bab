"""A checkpoint is all that prediction needs, and cannot do harm."""

import pickle

import pytest
import torch

from brainseg.checkpoint import CheckpointError, begin_with, load_model, read_checkpoint, store_fitted
from brainseg.config import plain
from brainseg.tasks import TASKS
from brainseg.trained.base import FORMAT, flush_subnormals


@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_the_model_comes_back_with_how_its_input_is_prepared(trained, task):
    cfg, path = trained(task)
    model = load_model(path)
    assert model.task == task
    assert not model.training
    assert model.config.preprocess == type(model.config.preprocess)(**cfg[task].preprocess)


def test_it_holds_plain_data_only(trained):
    torch.load(trained("segmenter")[1], weights_only=True)


def test_the_label_convention_of_the_training_data_travels_with_a_segmenter(trained):
    model = load_model(trained("segmenter")[1])
    assert model.provenance["facts"]["label_convention"] == "brats-2018"


def test_the_record_of_the_run_names_seed_data_versions_and_commit(trained):
    run = load_model(trained("skullstripper")[1]).provenance
    assert run["seed"] == 0
    assert run["facts"]["phantom"]["layout"] == "nfbs"
    assert torch.__version__.startswith(run["versions"]["torch"])
    assert {"commit", "optimizer", "loss", "scheduler", "trainer"} <= set(run)


def test_a_checkpoint_of_another_task_is_refused(trained):
    path = trained("segmenter")[1]
    with pytest.raises(
        CheckpointError, match=r"is a checkpoint of a segmenter, where a skullstripper is needed"
    ):
        load_model(path, task="skullstripper")


def untrained(cfg, **changes):
    """A module as a new run builds it, with another value for some keys of its config."""
    config = plain(cfg[cfg.task])
    return TASKS[cfg.task](config=config | changes)


@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_a_new_module_begins_with_the_weights_of_a_checkpoint(trained, task):
    cfg, path = trained(task)
    module, start = untrained(cfg), load_model(path)
    weights = start.net.state_dict()
    assert any(not torch.equal(weights[name], one) for name, one in module.net.state_dict().items())
    assert begin_with(module, path) == (start.provenance, [], [])
    assert all(torch.equal(weights[name], one) for name, one in module.net.state_dict().items())
    assert module.training
    assert not module.fitted


def test_what_the_images_were_prepared_with_before_is_named_where_it_differs(trained):
    cfg, path = trained("segmenter")
    minmax = {**plain(cfg.segmenter.preprocess), "intensity": "minmax"}
    assert begin_with(untrained(cfg, preprocess=minmax), path)[1] == ["intensity=zscore_nonzero"]


def test_weights_of_another_network_are_refused_by_what_differs(trained):
    cfg, path = trained("segmenter")
    with pytest.raises(
        CheckpointError, match=r"is of another network: it has segmenter.channels=\[4, 8\]; leave out"
    ):
        begin_with(untrained(cfg, channels=[8, 16]), path)
    with pytest.raises(CheckpointError, match=r"is of another network: it has segmenter.norm=own; leave out"):
        begin_with(untrained(cfg, norm="batch"), path)
    with pytest.raises(
        CheckpointError, match=r"is a checkpoint of a segmenter, where a classifier is needed"
    ):
        begin_with(untrained(trained("classifier")[0]), path)


def seeing(cfg, *sequences, **changes):
    """An untrained segmenter of other sequences."""
    return untrained(
        cfg, preprocess={**plain(cfg.segmenter.preprocess), "modalities": list(sequences)}, **changes
    )


def test_a_segmenter_of_other_sequences_begins_with_the_weights_of_those_that_both_see(trained):
    cfg, path = trained("segmenter")
    start = load_model(path)  # of t1, t1ce, t2 and flair
    module = seeing(cfg, "flair", "t1")
    assert begin_with(module, path)[2] == ["its weights for t1ce", "its weights for t2"]
    image = torch.randn(4, 16, 16, 16)
    image[[1, 2]] = 0
    with torch.no_grad():
        torch.testing.assert_close(
            module.eval()(image[None, [3, 0]]), start(image[None]), rtol=1e-4, atol=1e-4
        )
    turned = seeing(cfg, "flair", "t2", "t1ce", "t1")  # as many, in other places
    assert begin_with(turned, path)[2] == []
    image = torch.randn(1, 4, 16, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(turned.eval()(image.flip(1)), start(image), rtol=1e-4, atol=1e-4)


def test_what_a_model_of_subsets_adds_for_the_sequences_there_is_kept(trained, tmp_path):
    cfg, path = trained("segmenter")
    some = {"subsets": "any", "subset_share": 0.5}
    start = untrained(cfg, **some).eval()
    stored = read_checkpoint(path)
    stored["state_dict"] = {f"net.{name}": one for name, one in start.net.state_dict().items()}
    stored["hyper_parameters"]["config"] |= some
    torch.save(stored, tmp_path / "subsets.ckpt")
    image, there = torch.randn(1, 4, 32, 32, 32), torch.tensor([[1.0, 1, 0, 1]])
    with torch.no_grad():
        told = start(image, there)
        same = seeing(cfg, "t1", "t1ce", "flair", **some)
        assert begin_with(same, tmp_path / "subsets.ckpt")[2] == ["its weights for t2"]
        three = image[:, [0, 1, 3]]
        torch.testing.assert_close(same.eval()(three), told, rtol=1e-4, atol=1e-4)
        without = seeing(cfg, "t1", "t1ce", "flair")
        begin_with(without, tmp_path / "subsets.ckpt")
        gap = (without.eval()(three) - told)[..., 8:24, 8:24, 8:24].abs().mean()
        assert gap < 0.1 * told.std()  # but for the image's border, which the bias does not know


def test_a_last_layer_for_other_classes_begins_anew(trained):
    cfg, path = trained("segmenter")
    start, regions = load_model(path).net.state_dict(), {"output": "regions", "loss": "region_dice_bce"}
    module = untrained(cfg, **regions)
    before = {name: one.clone() for name, one in module.net.state_dict().items()}
    assert begin_with(module, path)[2] == ["its last layer, which tells classes"]
    kept = [name for name, one in module.net.state_dict().items() if torch.equal(one, before[name])]
    assert 0 < len(kept) < len(before)
    assert all(start[name].shape != before[name].shape for name in kept if name.endswith("conv.weight"))
    with pytest.raises(CheckpointError, match=r"segmenter.channels=\[4, 8\].*output=classes"):
        begin_with(untrained(cfg, channels=[8, 16], **regions), path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.ckpt: no such checkpoint"):
        load_model(tmp_path / "nowhere.ckpt")


def test_a_foreign_checkpoint_is_refused_by_name(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match=r"other\.ckpt is a checkpoint, but not of brainseg"):
        load_model(tmp_path / "other.ckpt")


def test_a_newer_format_is_refused(tmp_path):
    torch.save({"brainseg": {"format": FORMAT + 1}}, tmp_path / "new.ckpt")
    with pytest.raises(
        CheckpointError, match=rf"has format {FORMAT + 1}; this brainseg reads up to {FORMAT}"
    ):
        load_model(tmp_path / "new.ckpt")


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "broken.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"broken\.ckpt"):
        load_model(tmp_path / "broken.ckpt")


class Malicious:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, save):
    trace = tmp_path / "executed"
    save({"brainseg": {"format": 1}, "state_dict": Malicious(trace)}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match=r"evil\.ckpt was not opened: it holds more than plain data"):
        load_model(tmp_path / "evil.ckpt")
    assert not trace.exists()


def test_weights_too_small_for_a_normal_float_become_0_and_no_others():
    tiny = torch.finfo(torch.float32).tiny
    weights = torch.tensor([tiny / 2, -tiny / 2, tiny, -tiny, 1.0, 0.0])
    flush_subnormals([weights, torch.tensor([3])])
    assert weights.tolist() == [0.0, 0.0, tiny, -tiny, 1.0, 0.0]


def test_a_checkpoint_is_loaded_without_subnormal_weights(trained, tmp_path):
    stored = read_checkpoint(trained("segmenter")[1])
    name = next(key for key in stored["state_dict"] if key.startswith("net."))
    stored["state_dict"][name][0, 0, 0, 0, 0] = 1e-40
    torch.save(stored, tmp_path / "subnormal.ckpt")
    weights = load_model(tmp_path / "subnormal.ckpt").state_dict()[name]
    stored["state_dict"][name][0, 0, 0, 0, 0] = 0
    assert torch.equal(weights, stored["state_dict"][name])


def test_a_checkpoint_from_before_a_key_existed_is_loaded_with_what_it_was_trained_with(trained, tmp_path):
    stored = read_checkpoint(trained("segmenter")[1])
    for key in ("ema", "output", "deep_supervision", "subsets", "subset_share"):
        del stored["hyper_parameters"]["config"][key]
    torch.save(stored, tmp_path / "old.ckpt")
    config = load_model(tmp_path / "old.ckpt").config
    assert (config.ema, str(config.output), config.subsets) == (None, "classes", [])


def test_what_the_validation_part_said_travels_with_a_segmenter(trained):
    fitted = load_model(trained("segmenter")[1]).fitted
    assert set(fitted["temperatures"]) == {"whole_tumor", "tumor_core", "enhancing_tumor"}
    assert fitted["validation_scans"] == 1
    assert len(fitted["cleaning_scores"]) == 6 * 2 * 7


def test_storing_what_was_fitted_changes_nothing_else(trained, tmp_path):
    path = tmp_path / "copy.ckpt"
    path.write_bytes(trained("segmenter")[1].read_bytes())
    before = read_checkpoint(path)
    store_fitted(path, {"temperatures": {"whole_tumor": 2.0}})
    after = read_checkpoint(path)
    assert after["brainseg"].pop("fitted") == {"temperatures": {"whole_tumor": 2.0}}
    before["brainseg"].pop("fitted")
    assert after["brainseg"] == before["brainseg"]
    assert all(torch.equal(after["state_dict"][key], value) for key, value in before["state_dict"].items())
