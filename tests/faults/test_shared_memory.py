"""Loader processes are as many as the shared memory has room for, which is known before a training begins."""

import shutil
from collections import namedtuple

import pytest
import torch
import torch.distributed as dist

from brainseg.config.errors import ConfigError
from brainseg.data import composed_data, shared_memory

MB = 10**6
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def room(monkeypatch):
    """Set how much of the shared memory is free, in MB, on a machine of nine cores."""

    def _room(mb: float) -> None:
        monkeypatch.setattr("brainseg.system.device.threads", lambda: 9)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, int(mb * MB)))

    return _room


def fitting(asked, train_mb=10, other_mb=5):
    return shared_memory.fitting_workers(asked, train_bytes=train_mb * MB, other_bytes=other_mb * MB)


@pytest.mark.parametrize(
    ("free_mb", "workers"),
    [
        (270, 8),  # 2 ahead of each of 8, and 2 in hand: 18 pairs of 15 MB
        (269, 7),
        (60, 1),
        (59, 0),
        (1, 0),
    ],
)
def test_auto_takes_no_more_than_there_is_room_for(room, capsys, free_mb, workers):
    room(free_mb)
    assert fitting("auto") == workers
    said = capsys.readouterr().out
    assert ("needs" in said or "need" in said) == (workers < 8)


def test_a_number_that_does_not_fit_is_refused_with_what_is_there_what_it_needs_and_the_mend(room):
    room(1)
    with pytest.raises(ConfigError) as told:
        fitting(4)
    assert str(told.value) == (
        "/dev/shm has 1 MB free, but data.workers=4 needs about 150 MB there; set data.workers=0 or auto, "
        "or enlarge it (docker run --shm-size=8g)"
    )
    room(150)
    assert fitting(4) == 4


def test_no_workers_need_no_room(room):
    room(0)
    assert fitting(0) == 0


def test_every_process_of_a_training_on_several_devices_needs_as_much(room, monkeypatch):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    room(299)
    with pytest.raises(ConfigError, match="needs about 300 MB"):
        fitting(4)


def test_a_system_without_that_folder_has_no_such_limit(room, monkeypatch, tmp_path):
    room(1)
    monkeypatch.setattr(shared_memory, "SHARED", tmp_path / "none")
    assert fitting(4) == 4


def bytes_of(batch) -> int:
    if isinstance(batch, torch.Tensor):
        return batch.numel() * batch.element_size()
    return sum(map(bytes_of, batch)) if isinstance(batch, list) else 0


SMALL = ["data.subjects=5", "data.spacing_mm=8", "data.workers=1"]
MODELS = {
    "segmenter": [
        "data=phantom",
        *SMALL,
        "segmenter.preprocess.spacing_mm=[8,8,8]",
        "segmenter.patch=[16,16,16]",
    ],
    "classifier": ["data=phantom", *SMALL, "classifier.preprocess.size=32", "data.slices_per_subject=12"],
    "skullstripper": [
        "data=heads",
        "data.heads=5",
        "data.test_share=0.2",
        "data.workers=1",
        "skullstripper.preprocess.spacing_mm=[6,6,6]",
        "skullstripper.patch=[16,16,16]",
    ],
}
MODULES = {"segmenter": "volumes", "classifier": "kaggle", "skullstripper": "painted"}


@pytest.mark.parametrize("task", MODELS)
def test_what_a_batch_needs_is_known_without_making_one(composed, room, monkeypatch, task):
    data = composed_data(composed(f"model={task}", *MODELS[task]))
    data.prepare_data()
    data.setup("fit")
    data = getattr(data, "inner", data)
    asked = {}
    monkeypatch.setattr(
        f"brainseg.data.{MODULES[task]}.fitting_workers",
        lambda workers, **needs: asked.update(needs) or 0,
    )
    train = next(data.train_dataloader().handed_over())
    others = [
        batch for loader in (data.val_dataloader(), data.test_dataloader()) for batch in loader.handed_over()
    ]
    assert bytes_of(train) == asked["train_bytes"]
    largest = max(map(bytes_of, others))
    assert largest <= asked["other_bytes"] <= 4 * largest  # heads are cut to what is in them when prepared


def test_a_training_is_refused_before_its_first_batch(composed, room):
    data = composed_data(composed("model=segmenter", *MODELS["segmenter"]))
    data.prepare_data()
    data.setup("fit")
    room(0)
    with pytest.raises(ConfigError, match=r"/dev/shm has 0 MB free, but data\.workers=1 needs"):
        data.train_dataloader()
