"""The loader of all data modules: batches as a network takes them, on their device if that is a GPU."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from brainseg.data.handover import Handover, moved, one_ahead
from brainseg.system.signals import leave_stopping_to_parent

Batch = list[torch.Tensor]  # images float32 and truth int64


class Samples(Dataset[Any]):
    """Samples of few bytes, and how batches are made of them: images and truths of whatever numbers."""

    def collate(self, samples: list[Any]) -> Any:
        """Samples put together, where they are loaded."""
        return default_collate(samples)

    def finish(self, batch: Any) -> Batch:
        """What a network takes, on the device that the batch has come to."""
        image, truth = batch
        return [image.float(), truth.long()]


class Loader(DataLoader[Any]):
    """Batches that are handed over in few bytes, and finished where they are used.

    Args:
        dataset: Its samples are small to hand over.
        batch_size: Samples of a batch.
        workers: Loader processes.
        handover: What is done for the device.
        more: As for torch's loader.
    """

    def __init__(
        self,
        dataset: Samples,
        batch_size: int,
        workers: int,
        handover: Handover,
        **more: Any,
    ) -> None:
        super().__init__(
            dataset,
            batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=leave_stopping_to_parent,
            pin_memory=handover.pinned,
            collate_fn=dataset.collate,
            **more,
        )
        self.handover, self.finish = handover, dataset.finish

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        given = self.handed_over()
        if self.handover.kind != "cuda":
            return map(self.finish, given)  # Lightning moves them, where there is anywhere to go
        return _arrived(one_ahead(_sent(given, self.finish)))

    def handed_over(self) -> Iterator[Any]:
        """What crosses between processes, batch by batch."""
        return super().__iter__()


def _sent(batches: Iterator[Any], finish: Callable[[Any], Batch]) -> Iterator[tuple[Batch, torch.cuda.Event]]:
    """Batches on the device of this process, each with what tells that it is whole.

    They are copied and finished beside what the device computes meanwhile.
    """
    device = torch.device("cuda", torch.cuda.current_device())
    return _sent_to(device, torch.cuda.Stream(device), batches, finish)


def _sent_to(
    device: torch.device, beside: torch.cuda.Stream, batches: Iterator[Any], finish: Callable[[Any], Batch]
) -> Iterator[tuple[Batch, torch.cuda.Event]]:
    for batch in batches:
        with torch.cuda.device(device), torch.cuda.stream(beside):
            done = finish(moved(batch, device))
            whole = torch.cuda.Event()
            whole.record(beside)
        yield done, whole


def _arrived(sent: Iterator[tuple[Batch, torch.cuda.Event]]) -> Iterator[Batch]:
    for batch, whole in sent:
        own = torch.cuda.current_stream()
        own.wait_event(whole)
        for part in batch:
            part.record_stream(own)  # its memory is not given away while this stream uses it
        yield batch
