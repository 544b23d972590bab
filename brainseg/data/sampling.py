"""The order and the seed of training samples: the same for any number of workers and after a resume."""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch.utils.data import Sampler

Draw = tuple[int, int]  # epoch, index


class EpochSampler(Sampler[Draw]):
    """Each index once an epoch in a new order, with the epoch beside it; processes share an epoch out.

    Lightning calls `set_epoch` at the start of each, but may have asked for the first batches before.

    Args:
        n: How many samples there are.
        seed: Draws the order.
        epoch: The first one.
        done: How many samples of the first epoch are left out, of each process.
    """

    def __init__(self, n: int, seed: int, epoch: int = 0, done: int = 0) -> None:
        self.n, self.seed, self.epoch, self.done = n, seed, epoch, done
        distributed = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if distributed else 0
        self.world = dist.get_world_size() if distributed else 1

    def set_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def __len__(self) -> int:
        return -(-self.n // self.world)  # of a whole epoch, also where some of the first one are left out

    def __iter__(self) -> Iterator[Draw]:
        order = torch.randperm(self.n, generator=generator_of(self.seed, self.epoch, -1)).tolist()
        order += order[: len(self) * self.world - self.n]  # every process gets as many
        own = order[self.rank :: self.world]
        return iter([(self.epoch, index) for index in own[self.done :]])


def generator_of(seed: int, epoch: int, index: int) -> torch.Generator:
    """The random numbers of one training sample."""
    mixed = hash((seed, epoch, index)) & 0x7FFF_FFFF_FFFF_FFFF  # of integers: the same in every process
    return torch.Generator().manual_seed(mixed)
