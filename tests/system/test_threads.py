"""Threads that compute and processes that load, chosen together from the cores that there are."""

import os

import pytest
import torch

from brainseg.system import threads
from brainseg.system.busy import Moment, free_between, moment
from brainseg.system.threads import computing_with, loaders_beside, threads_beside, threads_to_predict


@pytest.mark.parametrize(
    ("cores", "device", "workers", "chosen", "loaders"),
    [
        (1, "cpu", "auto", 1, 0),
        (2, "cpu", "auto", 1, 1),
        (4, "cpu", "auto", 3, 1),
        (16, "cpu", "auto", 12, 4),
        (64, "cpu", "auto", 56, 8),
        (2, "cuda", "auto", 1, 1),
        (16, "cuda", "auto", 8, 8),
        (2, "cpu", 0, 2, 0),
    ],
)
def test_no_core_is_promised_twice(cores, device, workers, chosen, loaders):
    assert threads_beside(workers, cores, device) == chosen
    assert loaders_beside(chosen, cores) == loaders
    assert chosen + loaders_beside(chosen, cores) <= cores


@pytest.mark.parametrize(("workers", "chosen"), [(0, 8), (5, 3), (8, 1), (20, 1)])
def test_threads_take_the_cores_that_the_loaders_asked_for_leave(workers, chosen):
    assert threads_beside(workers, 8, "cpu") == chosen


def test_threads_hold_within_and_for_processes_begun_there(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with computing_with(before + 1, children=True):
        assert (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]) == (before + 1, str(before + 1))
    assert torch.get_num_threads() == before
    assert "OMP_NUM_THREADS" not in os.environ


def test_what_the_user_says_goes_before_what_is_measured(monkeypatch):
    monkeypatch.setattr(threads, "free_cores", lambda cores: 3)
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert (threads_to_predict(2), threads_to_predict("auto")) == (2, 5)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert threads_to_predict("auto") == 3


def since(seconds, own_s, *busy_s):
    """The beginning and a moment so many seconds later, with what this program and each core computed."""
    began = Moment(0.0, 1.0, dict.fromkeys(range(len(busy_s)), 7.0))
    return began, Moment(seconds, 1.0 + own_s, {core: 7.0 + s for core, s in enumerate(busy_s)})


@pytest.mark.parametrize(
    ("own_s", "busy_s", "cores", "free"),
    [
        (4.0, (4.0, 0.0), 2, 2),  # this program alone
        (4.0, (4.0, 4.0), 2, 1),  # one busy loop beside it
        (2.0, (4.0, 4.0), 2, 1),  # more than one
        (0.5, (4.0, 4.0), 2, 1),  # never none
        (4.0, (4.4, 0.3), 2, 2),  # somebody moves a mouse
        (4.0, (4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0), 8, 6),
        (4.0, (4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0), 2, 2),  # a container's part of a large machine
    ],
)
def test_cores_that_others_use_are_left_to_them(own_s, busy_s, cores, free):
    before, now = since(4.0, own_s, *busy_s)
    assert free_between(before, now, cores, set(range(len(busy_s)))) == free


def test_only_the_cores_that_a_program_is_bound_to_count():
    before, now = since(4.0, 4.0, 4.0, 4.0, 4.0, 0.0)
    assert free_between(before, now, 2, {0, 3}) == 2
    assert free_between(before, now, 2, {0, 1}) == 1


@pytest.mark.parametrize(("seconds", "bound_to"), [(0.1, {0, 1}), (4.0, set())])
def test_what_cannot_be_known_is_taken_as_free(seconds, bound_to):
    before, now = since(seconds, 0.0, 4.0, 4.0)
    assert free_between(before, now, 2, bound_to) == 2


def test_the_system_counts_what_each_core_did(tmp_path):
    every = "cpu  9 9 9 9 9 9 9 9 9 9"
    cores = ["cpu0 100 20 30 400 50 6 7 8 90 0", "cpu1 200 0 0 500 0 0 0 0 0 0"]
    (tmp_path / "stat").write_text("\n".join([every, *cores, "intr 5"]))
    assert moment(tmp_path / "stat").busy_s == {0: 1.71, 1: 2.0}  # neither idle nor waiting nor guests twice
    assert moment(tmp_path / "nothing").busy_s == {}
