"""How samples get to the device that trains on them, decided in one place.

On the CPU a batch holds what it always held. Labels go between processes as uint8 all the same, and what the
cache holds as float16 as float16: both are exact. A GPU waits for what is large and slow, so there the images
that were changed on the CPU are rounded to float16, and the next batch is copied from pinned memory while one
is computed; or the changes themselves are made there.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from brainseg.system.device import best_device

FLOAT, LONG, BYTE = 4, 8, 1  # bytes of a value in a batch
Item = TypeVar("Item")


@dataclass(frozen=True)
class Handover:
    """What is done for the device.

    Args:
        kind: Type of the device: cpu, cuda or mps.
        half_images: Images of training samples that were changed on the CPU are rounded to float16.
        augment: Training samples are painted and changed on the device; what loads them reads and draws only.
    """

    kind: str = "cpu"
    half_images: bool = False
    augment: bool = False

    @property
    def pinned(self) -> bool:
        """Whether batches wait in memory that the device copies from while it computes."""
        return self.kind == "cuda"

    @property
    def image_type(self) -> torch.dtype:
        """Numbers of a training image that was changed on the CPU."""
        return torch.float16 if self.half_images else torch.float32


CPU = Handover()


def handover_of(accelerator: str, half_images: bool | str, augment: bool | str) -> Handover:
    """What trainer.half_images and trainer.augment_on_device say; auto is true on a CUDA device.

    Args:
        accelerator: trainer.accelerator.
        half_images: true, false or auto.
        augment: true, false or auto.

    Raises:
        ConfigError: There is no such device.
    """
    kind = best_device({"gpu": "cuda"}.get(accelerator, accelerator)).type
    half, changed = (kind == "cuda" if one == "auto" else bool(one) for one in (half_images, augment))
    return Handover(kind, half, changed)


def moved(batch: Any, device: torch.device) -> Any:
    """All tensors of nested lists and tuples on a device; from pinned memory nobody waits for them."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(part, device) for part in batch))
    if isinstance(batch, list | tuple):
        return [moved(part, device) for part in batch]
    return batch


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; while one is used a thread makes the next."""
    with ThreadPoolExecutor(1, thread_name_prefix="next-batch") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
