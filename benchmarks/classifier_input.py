"""How long an epoch of slices takes from the cache on disk, from memory, and from torchvision's ImageFolder.

python benchmarks/classifier_input.py --root DIR     a Kaggle folder with Training/; without it phantom slices

Each way is timed without a network and with a training step of a small one, in turn, several times; the
least is printed, and its ratio to the time from memory. All augment; ImageFolder does with torchvision's own.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from brainseg.config import conf_dir, register_schemas
from brainseg.data import composed_data
from brainseg.data.loading import train_loader
from brainseg.data.slices import SliceDataset
from brainseg.nets import SliceClassifier

SIZE, BATCH, ROUNDS, BACKBONE = 128, 32, 3, "mobilenetv3_small_100"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--root", type=Path)
    options.add_argument("--cache", type=Path, default=Path("data/cache"))
    given = options.parse_args()
    data = _data(given.root, given.cache)
    ways = {"cache": _ours(data, in_memory=False), "memory": _ours(data, in_memory=True)}
    if given.root is not None:
        ways["ImageFolder"] = _image_folder(given.root / "Training", len(ways["memory"].dataset))
    print(f"{len(ways['memory'].dataset)} slices of {SIZE} pixels, batches of {BATCH}, {BACKBONE}")
    for what, step in (("loading only", lambda batch: None), ("with training", _training_step())):
        seconds = _least(ways, step)
        for name, value in seconds.items():
            ratio = value / seconds["memory"]
            print(f"{what:>14}  {name:>12} {value:7.1f} s an epoch, {ratio:5.3f} of that from memory")


def _data(root: Path | None, cache: Path) -> Any:
    register_schemas()
    source = ["data=phantom"] if root is None else [f"data.root={root}", "data.split=random"]
    fixed = [f"classifier.preprocess.size={SIZE}", f"paths.cache={cache}", "data.workers=0"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        cfg = compose("train", ["model=classifier", *source, *fixed])
    data = composed_data(cfg)
    data.prepare_data()
    data.setup("fit")
    return getattr(data, "inner", data)


def _ours(data: Any, *, in_memory: bool) -> DataLoader[Any]:
    slices = data.parts["train"]
    if in_memory:
        slices = slices._replace(folder=np.array(slices.folder))
    dataset = SliceDataset(slices, data.recipe, seed=0)
    return train_loader(dataset, len(dataset), BATCH, seed=0, workers=0)


def _image_folder(folder: Path, n: int) -> DataLoader[Any]:
    """As many slices, with transforms like ours; torchvision has no noise for it."""
    change = transforms.Compose(
        [
            transforms.Resize((SIZE, SIZE)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(10, translate=(0.05, 0.05), scale=(0.9, 1.1)),
            transforms.ColorJitter(brightness=0.2, contrast=0.2),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    dataset = datasets.ImageFolder(str(folder), change)
    chosen = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:n].tolist()
    return DataLoader(torch.utils.data.Subset(dataset, chosen), BATCH, shuffle=True, drop_last=True)


def _training_step() -> Callable[[Any], None]:
    net = SliceClassifier(BACKBONE, 4).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)

    def step(batch: Any) -> None:
        slices, targets = batch
        loss = torch.nn.functional.cross_entropy(net(slices), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _least(ways: dict[str, DataLoader[Any]], step: Callable[[Any], None]) -> dict[str, float]:
    """The shortest epoch of each way. They take turns, so that a slow minute of the machine hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, loader in ways.items():
            start = time.perf_counter()
            for batch in loader:
                step(batch)
            seconds[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
