"""How busy a device is in training: a step alone, a step with its loader, samples a second, TFLOP/s, memory.

python benchmarks/gpu.py [--device cuda] [--steps 30] [--compile] [--tiny] [--experiments segmenter_best ...]

Scans and slices are made up (loader_scaling.py), so it needs no data. A step is forward, loss, backward and
optimizer, in bf16 where the device is fast at it. Alone, the same batch is used again and again; in training
each comes from the loader, with what trainer.half_images and trainer.augment_on_device choose on the device.
The device is busy for the share that a step alone is of one in training. Operations are counted by torch in
the forward and the backward pass, and are shown beside the rate of large bf16 products of the device.

Where patches are cut from scans, a second row has the same step with what MONAI's guide to fast training
does in its place: CacheDataset with all scans on the device and the random part of the chain of its BraTS
tutorial, by ThreadDataLoader without processes. Below the table stands what nnU-Net v2 publishes of its
training. --tiny takes small networks, scans and patches: for a try on a CPU, in less than a minute.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from hydra.utils import instantiate
from loader_scaling import EXPERIMENTS, composed, made_loader, made_samples
from monai import transforms as mt
from monai.data import CacheDataset, ThreadDataLoader
from torch.utils.flop_counter import FlopCounterMode

from brainseg.config import chosen, plain
from brainseg.data.handover import handover_of
from brainseg.data.volumes import PatchDataset
from brainseg.nets.layout import suit_layout
from brainseg.system.device import best_device, device_name, own_cores, peak_memory_mb, precision_for
from brainseg.tasks import TASKS

TINY = {
    "segmenter": [
        "segmenter.channels=[8,16,16]",
        "segmenter.patch=[32,32,32]",
        "segmenter.preprocess.spacing_mm=[4,4,4]",
    ],
    "skullstripper": [
        "skullstripper.channels=[8,16,16]",
        "skullstripper.patch=[32,32,32]",
        "skullstripper.preprocess.spacing_mm=[4,4,4]",
    ],
    "classifier": ["classifier.backbone=test_resnet", "classifier.preprocess.size=64"],
}
# An epoch of 250 steps in 32 s: the table that https://github.com/MIC-DKFZ/nnUNet links in benchmarking.md
NNUNET = (
    "nnU-Net v2 publishes 128 ms a step of segmenter_best's patch and batch (BraTS, 128^3, batch 2, A100)"
)
REPEATED = 4  # how often MONAI's cache holds each scan: the more, the seldomer its thread begins an epoch
WARM = 3  # steps before the clock is looked at; the first one compiles


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options.add_argument("--steps", type=int, default=None, help="of each measurement: 30, or 4 of tiny ones")
    options.add_argument("--workers", type=int, default=None, help="loader processes; as data.workers=auto")
    options.add_argument("--compile", action="store_true", help="as trainer.compile=true")
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    given = options.parse_args()
    given.steps = given.steps or (4 if given.tiny else 30)
    device = best_device(given.device)
    rate = _matmul_rate(device, 512 if given.tiny else 8192)
    print(
        f"{device_name(device)}, {own_cores()} cores, torch {torch.__version__}: {rate / 1e12:.2f} TFLOP/s\n"
    )
    print(
        "| experiment | step alone, ms | in training, ms | busy | samples a second | TFLOP/s "
        "| of the device's | peak memory, MiB |"
    )
    print("|" + " --- |" * 8)
    for name in given.experiments:
        for row in _rows(name, device, rate, given):
            print(row, flush=True)
    print(f"\n{NNUNET}")


def _rows(name: str, device: torch.device, rate: float, given: argparse.Namespace) -> Iterator[str]:
    cfg = composed(*EXPERIMENTS[name])
    if given.tiny:
        cfg = composed(*EXPERIMENTS[name], *TINY[cfg.task])
    handover = handover_of(device.type, "auto", "auto")
    samples, size = made_samples(cfg, handover), cfg[cfg.task].batch_size
    workers = given.workers if given.workers is not None else 0 if handover.augment else own_cores() - 1
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    step = step_of(cfg, device, compiled=given.compile)
    ways = {name: _on(device, iter(made_loader(samples, size, workers, handover)))}
    if isinstance(samples, PatchDataset):
        ways[f"{name}, MONAI's chain"] = _monai(samples, size, device)
    first = next(ways[name])
    with FlopCounterMode(display=False) as counted:
        step_of(cfg, device, compiled=False)(first)
    alone = _seconds(lambda: step(first), given.steps, device)
    reached = counted.get_total_flops() / alone
    for way, batches in ways.items():
        training = _seconds(lambda own=batches: step(next(own)), given.steps, device)
        used = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else peak_memory_mb()
        yield (
            f"| {way} | {1e3 * alone:.1f} | {1e3 * training:.1f} | {min(1.0, alone / training):.0%} | "
            f"{size / training:.1f} | {reached / 1e12:.3f} | {reached / rate:.0%} | {used:.0f} |"
        )


def _monai(samples: PatchDataset, size: int, device: torch.device) -> Iterator[list[torch.Tensor]]:
    """Batches without an end of the same scans, from a cache on the device, by a thread."""
    keys, sides = ["image", "label"], samples.recipe.patch
    scans = [{"image": case["image"], "label": case["truth"][None]} for case in samples.cases]
    chain = mt.Compose(
        [
            mt.EnsureTyped("image", dtype=torch.float32, device=device, track_meta=False),
            mt.EnsureTyped("label", device=device, track_meta=False),
            mt.RandSpatialCropd(keys, roi_size=sides, random_size=False),
            *(mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            mt.RandScaleIntensityd("image", factors=0.1, prob=1.0),
            mt.RandShiftIntensityd("image", offsets=0.1, prob=1.0),
        ]
    )
    cached = CacheDataset(REPEATED * scans, chain, num_workers=None, progress=False)
    loader = ThreadDataLoader(cached, batch_size=size, shuffle=True, drop_last=True, num_workers=0)
    for batch in itertools.chain.from_iterable(itertools.repeat(loader)):
        yield [batch["image"], batch["label"][:, 0].long()]


def step_of(cfg: Any, device: torch.device, *, compiled: bool = False) -> Callable[[Any], None]:
    """A step of a fresh model on a batch."""
    module = TASKS[cfg.task](config=plain(cfg[cfg.task]), loss=chosen(cfg, "loss")).to(device).train()
    suit_layout(module.net, device)
    if compiled:
        module.compile_net()
    optimizer = instantiate(chosen(cfg, "optimizer"), params=module.parameters(), _convert_="all")
    is_half = precision_for(device) == "bf16-mixed"

    def step(batch: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            loss = module.training_loss(*batch)
        loss.backward()
        optimizer.step()

    return step


def _on(device: torch.device, batches: Iterator[Any]) -> Iterator[list[torch.Tensor]]:
    """What Lightning does where the loader has not: on a CPU, nothing."""
    return ([part.to(device) for part in batch] for batch in batches)


def _seconds(step: Callable[[], None], n: int, device: torch.device) -> float:
    """The mean of n steps after some that warm up, with all that the device still had to do."""
    for _ in range(WARM):
        step()
    _wait(device)
    began = time.perf_counter()
    for _ in range(n):
        step()
    _wait(device)
    return (time.perf_counter() - began) / n


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _matmul_rate(device: torch.device, side: int) -> float:
    """Operations a second of products of square matrices, in the numbers of a training."""
    kind = torch.bfloat16 if precision_for(device) == "bf16-mixed" else torch.float32
    a = torch.randn(side, side, device=device, dtype=kind)
    return 2 * side**3 / _seconds(lambda: torch.mm(a, a), 10, device)


if __name__ == "__main__":
    main()
