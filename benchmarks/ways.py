"""In which numbers and layout each network computes fastest here, as trainer.precision=auto would find it.

python benchmarks/ways.py [--device cpu] [--threads 1] [--experiments demo_segmenter vgg16 ...] [--rounds 1]

For each experiment, and for some backbones of the classifier at 128 pixels in batches of 32: milliseconds of
a training step, and of a window, in each way that takes part, and what is chosen. The input is made up, and
of large networks only a part of it is timed.
"""

import argparse
from types import SimpleNamespace
from typing import Any

import torch
from loader_scaling import composed, made_samples

from brainseg.config import chosen, plain
from brainseg.data.handover import CPU
from brainseg.prediction.computing import time_ways as time_windows
from brainseg.system.device import best_device, device_name
from brainseg.tasks import TASKS
from brainseg.trained import MODELS
from brainseg.trained.computing import Computing
from brainseg.training.computing import time_ways as time_steps

EXPERIMENTS = ("demo_skullstripper", "demo_segmenter", "demo_classifier", "segmenter_fast", "segmenter_best")
BACKBONES = ("tf_efficientnet_lite0", "mobilenetv2_100", "resnet18", "vgg16")
WAYS = [Computing(p, layout) for p in ("float32", "bf16") for layout in ("channels_last", "contiguous")]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--rounds", type=int, default=1, help="whole choices of each network")
    options.add_argument("--experiments", nargs="+", default=[*EXPERIMENTS, *BACKBONES])
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    device = best_device(given.device)
    print(f"{device_name(device)}, {given.threads} threads, torch {torch.__version__}; milliseconds\n")
    print("| network | what |", *(f"{way.in_words} |" for way in WAYS), "chosen |")
    print("|" + " --- |" * (3 + len(WAYS)))
    for name in given.experiments:
        for _ in range(given.rounds):
            _print_rows(name, device)


def _print_rows(name: str, device: torch.device) -> None:
    backbone = ["model=classifier", f"classifier.backbone={name}", "classifier.preprocess.size=128"]
    cfg = composed(*(backbone if name in BACKBONES else [f"experiment={name}"]))
    recipe: Any = plain(cfg[cfg.task])
    data = SimpleNamespace(train_samples=lambda: made_samples(cfg, CPU))
    module = TASKS[cfg.task](config=recipe, loss=chosen(cfg, "loss"))
    _print_row(name, "step", *time_steps(module, data, recipe["batch_size"], device))
    if cfg.task != "classifier":
        model = MODELS[cfg.task].of(recipe).eval().to(device)
        shape = (1, len(recipe["preprocess"]["modalities"]), *recipe["patch"])
        _print_row(name, "window", *time_windows(model, shape))


def _print_row(name: str, what: str, way: Computing, seconds: dict[Computing, float]) -> None:
    times = [f"{1e3 * seconds[one]:.1f} |" if one in seconds else "|" for one in WAYS]
    print(f"| {name} | {what} |", *times, f"{way.in_words} |", flush=True)


if __name__ == "__main__":
    main()
