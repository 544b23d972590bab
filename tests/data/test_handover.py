"""What crosses between processes, in which numbers, and that it changes nothing that is learnt on the CPU."""

import time

import pytest
import torch

from brainseg.augment import on_device, slices
from brainseg.config import check
from brainseg.config.errors import ConfigError
from brainseg.data import composed_data
from brainseg.data.handover import CPU, Handover, handover_of, moved, one_ahead
from brainseg.training.train import _trainer_settings

from ..far_device import FAR, Far, far_device

TINY = {
    "segmenter": ["segmenter.preprocess.spacing_mm=[8,8,8]", "segmenter.patch=[16,16,16]"],
    "classifier": ["classifier.preprocess.size=32", "data.slices_per_subject=12"],
}


@pytest.fixture
def prepared(composed):
    """The data module of a task on few small phantoms."""

    def _prepared(task, handover=CPU, *more):
        few = ["data=phantom", "data.subjects=5", "data.spacing_mm=8", "data.workers=0"]
        data = composed_data(composed(f"model={task}", *few, *TINY[task], *more))
        data.handover = handover
        data.prepare_data()
        data.setup("fit")
        return data

    return _prepared


@pytest.mark.parametrize(("half", "image"), [(False, torch.float32), (True, torch.float16)])
def test_labels_cross_as_bytes_and_images_as_halves_where_that_is_wanted(prepared, half, image):
    data = prepared("segmenter", Handover(half_images=half))
    loader = data.train_dataloader()
    crossing, used = next(loader.handed_over()), next(iter(loader))
    assert [part.dtype for part in crossing] == [image, torch.uint8]
    assert [part.dtype for part in used] == [torch.float32, torch.int64]
    assert torch.equal(used[1], crossing[1].long())
    whole = next(data.val_dataloader().handed_over())
    assert [part.dtype for part in whole] == [torch.float16, torch.uint8]  # as the cache has them: exact
    assert torch.equal(next(iter(data.val_dataloader()))[0], whole[0].float())


def test_half_images_differ_by_the_rounding_of_float16_alone(prepared):
    ways = (Handover(half_images=half) for half in (False, True))
    exact, half = (next(iter(prepared("segmenter", way).train_dataloader())) for way in ways)
    assert torch.equal(exact[1], half[1])
    assert torch.equal(exact[0].half().float(), half[0])


def test_slices_cross_as_the_bytes_that_they_are(prepared):
    loader = prepared("classifier").train_dataloader()
    images, _, _ = next(loader.handed_over())
    assert (images.dtype, images.shape[1:]) == (torch.uint8, (32, 32))
    x, target = next(iter(loader))
    assert (x.dtype, x.shape[1:]) == (torch.float32, (3, 32, 32))
    assert target.dtype == torch.int64


def test_what_is_automatic_is_off_on_the_cpu_and_may_be_asked_for(composed):
    assert handover_of("cpu", "auto", "auto") == CPU
    assert handover_of("cpu", True, True) == Handover("cpu", half_images=True, augment=True)
    assert not CPU.pinned
    assert Handover("cuda").pinned
    settings = _trainer_settings(composed("model=segmenter", "trainer=cpu"))
    assert not {"half_images", "augment_on_device"} & settings.keys()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("task", ["segmenter", "classifier"])
def test_batches_that_the_device_changes_are_those_of_the_cpu_but_for_rounding(prepared, task, workers):
    still = f"{task}.augment.noise=0"  # whose grains the device draws
    ways = (Handover(), Handover(augment=True))
    first, second = (
        list(prepared(task, way, still, f"data.workers={workers}").train_dataloader()) for way in ways
    )
    assert len(first) == len(second) > 0
    for (x, target), (same, same_target) in zip(first, second, strict=True):
        torch.testing.assert_close(same, x, rtol=1e-3, atol=2e-3)
        assert (same_target != target).float().mean() < 1e-3


@pytest.mark.parametrize("task", ["segmenter", "classifier"])
def test_a_batch_is_changed_where_it_lies(prepared, task, monkeypatch):
    for module in (on_device, slices):
        monkeypatch.setattr(module, "Generator", lambda device=None: torch.Generator())
    loader = prepared(task, Handover(augment=True), f"{task}.augment.noise=0").train_dataloader()
    batch = next(loader.handed_over())
    x, target = loader.finish(batch)
    with far_device():
        far_x, far_target = loader.finish(moved(batch, FAR))
    assert isinstance(far_x, Far)
    assert isinstance(far_target, Far)
    torch.testing.assert_close(far_x.here, x)
    assert torch.equal(far_target.here, target)
    noisy = prepared(task, Handover(augment=True), f"{task}.augment.noise=0.5").train_dataloader()
    with far_device():
        assert isinstance(noisy.finish(moved(batch, FAR))[0], Far)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_no_process_is_begun_to_read_only_unless_it_is_asked_for(prepared, monkeypatch):
    monkeypatch.setattr("brainseg.system.device.threads", lambda: 9)
    auto = "data.workers=auto"
    for task in ("segmenter", "classifier"):
        assert prepared(task, Handover(augment=True), auto).train_dataloader().num_workers == 0
        assert prepared(task, CPU, auto).train_dataloader().num_workers == 8
    asked = prepared("segmenter", Handover(augment=True), "data.workers=1").train_dataloader()
    assert asked.num_workers == 1


@pytest.mark.parametrize("key", ["trainer.half_images", "trainer.augment_on_device"])
def test_another_word_is_refused(composed, key):
    with pytest.raises(ConfigError, match=f"^{key} must be auto, true or false, got maybe$"):
        check(composed("model=segmenter", f"{key}=maybe"))


def test_all_parts_of_a_batch_are_moved_and_names_stay():
    there = moved([torch.zeros(2), (torch.ones(1), 3)], torch.device("meta"))
    assert [part.device.type for part in (there[0], there[1][0])] == ["meta", "meta"]
    assert there[1][1] == 3


def test_the_next_batch_is_made_while_one_is_used():
    made = []

    def slowly():
        for k in range(4):
            time.sleep(0.02)
            made.append(k)
            yield [k]

    items = one_ahead(slowly())
    assert next(items) == [0]
    time.sleep(0.3)
    assert made == [0, 1]  # and no more than one
    assert [item[0] for item in items] == [1, 2, 3]


def test_what_goes_wrong_ahead_is_said_where_the_batch_is_asked_for():
    def broken():
        yield [0]
        raise OSError("the disk is gone")

    items = one_ahead(broken())
    assert next(items) == [0]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
