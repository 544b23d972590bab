"""Which way to compute is chosen, by a clock whose seconds are written by hand."""

import json
import os
from itertools import pairwise
from math import prod
from multiprocessing import get_context

import pytest
import torch

from brainseg.nets import build_volume_net
from brainseg.trained import computing
from brainseg.trained.computing import Computing, about, computed, computing_from, timed_in_words, ways
from brainseg.trained.remembered import cache_of_user, recall, recall_or_make
from brainseg.trained.timing import fastest, growing, long_enough

CPU = torch.device("cpu")


class Clock:
    """Seconds that go on by what each step is said to take: its times in order, the last one from then on."""

    def __init__(self, **seconds):
        self.now, self.left, self.order = 0.0, {name: list(times) for name, times in seconds.items()}, []
        self.steps = {name: lambda name=name: self.run(name) for name in seconds}

    def __call__(self):
        return self.now

    def run(self, name):
        self.order.append(name)
        times = self.left[name]
        self.now += times.pop(0) if len(times) > 1 else times[0]


@pytest.mark.parametrize(
    ("float32", "bf16", "chosen"),
    [
        ([9, 0.10], [9, 0.08], "bf16"),  # 1.25 times as fast
        ([9, 0.10], [9, 0.086], "bf16"),  # 1.163
        ([9, 0.10], [9, 0.088], "float32"),  # 1.136: not clearly
        ([9, 0.10], [9, 0.15], "float32"),
        ([9, 0.10], [30, 0.05], "bf16"),  # what the first step prepares does not count
        ([9, 0.30, 0.10], [9, 0.10, 0.09], "float32"),  # a disturbed step does not count
        ([9, 0.10], [9, 0.40, 0.30, 0.05], "bf16"),  # nor does it for the other one
    ],
)
def test_the_usual_way_stays_unless_another_is_clearly_faster(float32, bf16, chosen):
    clock = Clock(float32=float32, bf16=bf16)
    assert fastest(clock.steps, clock)[0] == chosen


def test_each_further_way_must_be_clearly_faster_than_the_one_it_replaces():
    clock = Clock(plain=[0.100], other=[0.095], half=[0.060], half_other=[0.055])
    way, seconds = fastest(clock.steps, clock)
    assert way == "half"
    assert seconds == pytest.approx({"plain": 0.1, "other": 0.095, "half": 0.06, "half_other": 0.055})


def test_ways_take_turns_and_hopeless_ones_end_after_three():
    clock = Clock(a=[0.01], b=[0.0149], c=[0.02])
    fastest(clock.steps, clock)
    assert clock.order[:6] == ["a", "b", "c"] * 2
    assert clock.order.count("c") == 1 + 3  # a first one that prepares
    assert clock.order.count("a") == clock.order.count("b") > 4


@pytest.mark.parametrize(("seconds", "rounds"), [(5.0, 3), (0.03, 9), (0.0001, 20)])
def test_timing_ends_soon(seconds, rounds):
    clock = Clock(a=[seconds], b=[seconds])
    fastest(clock.steps, clock)
    assert clock.order.count("a") == 1 + rounds


def test_a_part_of_a_large_step_is_timed():
    took = {8: 0.001, 16: 0.02, 32: 0.06, 64: 1.0}
    assert long_enough([8, 16, 32, 64], took.__getitem__) == 32
    assert long_enough([8, 16], took.__getitem__) == 16
    assert long_enough([64], took.__getitem__) == 64


def test_parts_of_a_batch_grow_from_one_small_patch_to_all_of_it():
    found = growing((2, 4, 128, 128, 64), 3)
    assert (found[0], found[-2], found[-1]) == (
        (1, 4, 16, 16, 16),
        (1, 4, 128, 128, 64),
        (2, 4, 128, 128, 64),
    )
    assert all(2 * prod(small) == prod(large) for small, large in pairwise(found))
    assert (1, 4, 32, 32, 32) in found
    assert growing((1, 1, 32, 32, 32), 5) == [(1, 1, 32, 32, 32)]  # a half would be one voxel at the end
    assert growing((8, 3, 64, 64), 0, least_batch=2) == [(2, 3, 64, 64), (4, 3, 64, 64), (8, 3, 64, 64)]


def test_a_device_that_emulates_bf16_is_not_asked_for_it(monkeypatch):
    net = build_volume_net("unet", 1, 1, (4, 8))
    monkeypatch.setattr(computing, "bf16_is_fast", lambda device: False)
    assert [way.precision for way in ways(net, CPU)] == ["float32", "float32"]
    monkeypatch.setattr(computing, "bf16_is_fast", lambda device: True)
    found = ways(net, CPU)
    assert found[0] == Computing("float32", "channels_last")  # the usual one
    assert len(set(found)) == 4


def test_numbers_are_those_of_the_way():
    for precision, kind in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        with computed(CPU, precision):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is kind


def test_what_was_found_is_said_in_one_line():
    fast, slow = Computing("bf16", "channels_last"), Computing("float32", "contiguous")
    assert timed_in_words(fast, {slow: 0.0472, fast: 0.031}) == (
        "bf16, channels last: 31 ms a step, where float32, contiguous takes 47"
    )


@pytest.mark.parametrize(
    "bad", [None, [], {}, {"precision": "bf16"}, {"precision": "int4", "layout": "contiguous"}][:]
)
def test_plain_values_that_are_no_way_are_none(bad):
    assert computing_from(bad) is None


def test_a_choice_is_of_one_network_input_device_and_torch(monkeypatch):
    net = build_volume_net("unet", 1, 1, (4, 8))
    key = about("training", net, (2, 1, 32, 32, 32), CPU)
    assert key == about("training", build_volume_net("unet", 1, 1, (4, 8)), (2, 1, 32, 32, 32), CPU)
    others = [
        about("prediction", net, (2, 1, 32, 32, 32), CPU),
        about("training", build_volume_net("unet", 1, 1, (4, 16)), (2, 1, 32, 32, 32), CPU),
        about("training", net, (1, 1, 32, 32, 32), CPU),
    ]
    monkeypatch.setattr(computing, "device_name", lambda device: "another")
    others.append(about("training", net, (2, 1, 32, 32, 32), CPU))
    assert key not in others


def test_what_was_made_once_is_remembered(tmp_path):
    made = iter([{"layout": "first"}, {"layout": "second"}])
    for _ in range(2):
        found, shared = recall_or_make(tmp_path, {"n": 1}, lambda: next(made))
        assert (found["layout"], shared) == ("first", True)
    assert recall(tmp_path, {"n": 1})["layout"] == "first"
    assert recall(tmp_path, {"n": 2}) is None
    assert recall_or_make(tmp_path, {"n": 2}, lambda: next(made))[0]["layout"] == "second"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", json.dumps({"about": {"n": 5}, "layout": "foreign"})])
def test_a_damaged_memory_is_made_anew(tmp_path, text):
    recall_or_make(tmp_path, {"n": 1}, lambda: {"layout": "first"})
    (file,) = tmp_path.rglob("*.json")
    file.write_text(text)
    assert recall(tmp_path, {"n": 1}) is None
    assert recall_or_make(tmp_path, {"n": 1}, lambda: {"layout": "anew"})[0]["layout"] == "anew"
    assert recall(tmp_path, {"n": 1})["layout"] == "anew"


def test_without_a_place_to_keep_it_what_was_made_is_told_to_be_alone(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (None, tmp_path / "file"):
        found, shared = recall_or_make(folder, {"n": 1}, lambda: {"layout": "first"})
        assert (found["layout"], shared) == ("first", False)
        assert recall(folder, {"n": 1}) is None


def _make_slowly(folder, number, found):
    def make():
        import time

        time.sleep(0.3)
        return {"layout": f"of {number}"}

    found.put(recall_or_make(folder, {"n": 1}, make)[0]["layout"])


def test_of_several_processes_one_decides_for_all(tmp_path):
    context = get_context("fork")
    found = context.Queue()
    processes = [context.Process(target=_make_slowly, args=(tmp_path, n, found)) for n in range(3)]
    for process in processes:
        process.start()
    assert len({found.get(timeout=60) for _ in processes}) == 1
    for process in processes:
        process.join()


def test_the_memory_of_predictions_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSEG_CACHE", str(tmp_path / "own"))
    assert cache_of_user() == tmp_path / "own"
    monkeypatch.delenv("BRAINSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_of_user() == tmp_path / "brainseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_of_user() == type(tmp_path).home() / ".cache" / "brainseg"
    assert os.environ["HOME"]
