"""Every epoch has every sample once, in an order that only the seed and the epoch decide."""

import pytest
import torch
import torch.distributed as dist

from brainseg.data.loader import Samples
from brainseg.data.loading import train_loader
from brainseg.data.sampling import EpochSampler, generator_of


def indices(sampler, epoch):
    sampler.set_epoch(epoch)
    return [index for _, index in sampler]


def test_an_epoch_has_every_index_once_and_says_which_epoch_it_is():
    sampler = EpochSampler(10, seed=0)
    sampler.set_epoch(3)
    draws = list(sampler)
    assert sorted(index for _, index in draws) == list(range(10))
    assert {epoch for epoch, _ in draws} == {3}


def test_the_order_changes_with_the_epoch_and_with_the_seed_only():
    sampler = EpochSampler(20, seed=0)
    assert indices(sampler, 0) != indices(sampler, 1)
    assert indices(sampler, 0) == indices(EpochSampler(20, seed=0), 0)
    assert indices(sampler, 0) != indices(EpochSampler(20, seed=1), 0)


def test_three_processes_share_an_epoch_evenly():
    shares = []
    for rank in range(3):
        sampler = EpochSampler(10, seed=0)
        sampler.rank, sampler.world = rank, 3
        shares.append(indices(sampler, 0))
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {index for share in shares for index in share} == set(range(10))


def test_a_sample_has_its_own_random_numbers():
    def first(*about):
        return torch.rand(1, generator=generator_of(*about)).item()

    assert first(0, 1, 2) == first(0, 1, 2)
    assert len({first(0, 1, 2), first(0, 1, 3), first(0, 2, 2), first(1, 1, 2)}) == 4


@pytest.mark.parametrize(
    ("n", "processes", "batches"), [(60, 1, 1), (60, 2, 1), (64, 2, 1), (66, 2, 1), (20, 1, 1)]
)
def test_a_last_batch_that_is_not_full_is_left_out_unless_it_is_the_only_one(
    monkeypatch, n, processes, batches
):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: processes)
    assert len(train_loader(Samples(), n, batch_size=32, seed=0, workers=0)) == batches
