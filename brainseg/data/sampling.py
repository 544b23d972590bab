"""The order and the seed of training samples: the same for any number of workers and after a resume."""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch.utils.data import Sampler

Draw = tuple[int, int]  # epoch, index


class EpochSampler(Sampler[Draw]):
    """Each index once an epoch in a new order, with the epoch beside it; processes share an epoch out.

    Lightning calls `set_epoch` at the start of each.
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0
        distributed = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if distributed else 0
        self.world = dist.get_world_size() if distributed else 1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.n // self.world)

    def __iter__(self) -> Iterator[Draw]:
        order = torch.randperm(self.n, generator=generator_of(self.seed, self.epoch, -1)).tolist()
        order += order[: len(self) * self.world - self.n]  # every process gets as many
        return iter([(self.epoch, index) for index in order[self.rank :: self.world]])


def generator_of(seed: int, epoch: int, index: int) -> torch.Generator:
    """The random numbers of one training sample."""
    mixed = hash((seed, epoch, index)) & 0x7FFF_FFFF_FFFF_FFFF  # of integers: the same in every process
    return torch.Generator().manual_seed(mixed)
