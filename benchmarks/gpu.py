"""How busy a device is in training: a step alone, a step with its loader, samples a second, TFLOP/s, memory.

python benchmarks/gpu.py [--device cuda] [--steps 30] [--compile] [--tiny] [--experiments segmenter_best ...]

Scans and slices are made up (loader_scaling.py), so it needs no data. A step is forward, loss, backward and
optimizer, in bf16 where the device is fast at it. Alone, the same batch is used again and again; in training
each comes from the loader, with what trainer.half_images and trainer.augment_on_device choose on the device.
The device is busy for the share that a step alone is of one in training. Operations are counted by torch in
the forward and the backward pass; the last column is their share of the rate of large bf16 products of the
device. --tiny takes small networks and patches: for a try on a CPU.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from hydra.utils import instantiate
from loader_scaling import EXPERIMENTS, composed, made_loader, made_samples
from torch.utils.flop_counter import FlopCounterMode

from brainseg.config import chosen, plain
from brainseg.data.handover import handover_of
from brainseg.nets.layout import suit_layout
from brainseg.system.device import best_device, device_name, own_cores, peak_memory_mb, precision_for
from brainseg.tasks import TASKS

TINY = {
    "segmenter": ["segmenter.channels=[8,16,16]", "segmenter.patch=[32,32,32]"],
    "skullstripper": ["skullstripper.channels=[8,16,16]", "skullstripper.patch=[32,32,32]"],
    "classifier": ["classifier.backbone=test_resnet", "classifier.preprocess.size=64"],
}
WARM = 3  # steps before the clock is looked at; the first one compiles


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options.add_argument("--steps", type=int, default=30, help="of each measurement")
    options.add_argument("--workers", type=int, default=None, help="loader processes; as data.workers=auto")
    options.add_argument("--compile", action="store_true", help="as trainer.compile=true")
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    given = options.parse_args()
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
        print(_row(name, device, rate, given), flush=True)


def _row(name: str, device: torch.device, rate: float, given: argparse.Namespace) -> str:
    cfg = composed(*EXPERIMENTS[name])
    if given.tiny:
        cfg = composed(*EXPERIMENTS[name], *TINY[cfg.task])
    handover = handover_of(device.type, "auto", "auto")
    samples, size = made_samples(cfg, handover), cfg[cfg.task].batch_size
    workers = given.workers if given.workers is not None else 0 if handover.augment else own_cores() - 1
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    step = step_of(cfg, device, compiled=given.compile)
    batches = _on(device, iter(made_loader(samples, size, workers, handover)))
    first = next(batches)
    with FlopCounterMode(display=False) as counted:
        step_of(cfg, device, compiled=False)(first)
    alone = _seconds(lambda: step(first), given.steps, device)
    training = _seconds(lambda: step(next(batches)), given.steps, device)
    reached = counted.get_total_flops() / alone
    used = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else peak_memory_mb()
    return (
        f"| {name} | {1e3 * alone:.1f} | {1e3 * training:.1f} | {min(1.0, alone / training):.0%} | "
        f"{size / training:.1f} | {reached / 1e12:.3f} | {reached / rate:.0%} | {used:.0f} |"
    )


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
