"""Folders of 2D slices, one folder for each tumour type, as the two Kaggle brain-tumour sets come."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from brainseg.augment import SliceAugment
from brainseg.config import ClassifierConfig
from brainseg.config.errors import DataError, ImageError
from brainseg.data.cache import ArrayCache
from brainseg.data.loading import plain_loader, refuse_if_bad, train_loader, worker_count
from brainseg.data.sampling import Draw, generator_of
from brainseg.data.splits import Split, SplitRule, split_subjects
from brainseg.images.jpeg import read_slice
from brainseg.preprocess.slices import network_input, prepare_slice

# As in masoudnickparvar/brain-tumor-mri-dataset, and in sartajbhuvaji/brain-tumor-classification-mri.
FOLDERS = {
    "glioma": ("glioma", "glioma_tumor"),
    "meningioma": ("meningioma", "meningioma_tumor"),
    "notumor": ("notumor", "no_tumor"),
    "pituitary": ("pituitary", "pituitary_tumor"),
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
WHERE_FROM = (
    "download masoudnickparvar/brain-tumor-mri-dataset from Kaggle and set data.root to its folder, "
    "or train on synthetic slices with data=phantom"
)


def find_slices(folder: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Image files below a folder of class folders, each with the index of its class.

    Raises:
        DataError: The folder, or that of a class, is missing or holds no image.
    """
    found: list[tuple[Path, int]] = []
    for index, name in enumerate(classes):
        folders = [folder / alias for alias in FOLDERS[name] if (folder / alias).is_dir()]
        if not folders:
            raise DataError(
                f"{folder} has no folder for class {name} ({' or '.join(FOLDERS[name])}); {WHERE_FROM}"
            )
        files = sorted(path for path in folders[0].iterdir() if path.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(
                f"{folders[0]} holds no image ({', '.join(sorted(SUFFIXES))}); every class needs some"
            )
        found += [(path, index) for path in files]
    return found


class KaggleSlices(pl.LightningDataModule):
    """Slices for the classifier.

    A Testing folder is the test part. A file subjects.csv (file, subject) keeps a subject's slices in one
    part; without it each slice counts as a subject of its own.

    Args:
        root: The data set's folder, with Training/ and perhaps Testing/, or a folder of class folders.
        recipe: The classifier's section of the config.
        val_share, test_share, folds, fold, seed: See SplitRule; test_share is used without a Testing folder.
        workers: Loader processes, or "auto".
        cache: Folder for prepared slices.
        skip_bad: Leave unreadable files out, named, instead of refusing to start.
    """

    def __init__(
        self,
        root: str,
        recipe: ClassifierConfig,
        val_share: float,
        test_share: float,
        folds: int | None,
        fold: int,
        seed: int,
        workers: int | str,
        cache: str,
        skip_bad: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.recipe, self.seed, self.skip_bad = Path(root), recipe, seed, skip_bad
        self.rule = SplitRule(val_share, test_share, folds, fold, seed)
        self.workers = worker_count(workers)
        self.cache = ArrayCache(cache)
        self.facts: dict[str, Any] = {}

    def prepare_data(self) -> None:
        for folder in self._folders().values():
            self._prepared(folder)

    def setup(self, stage: str) -> None:
        folders = self._folders()
        images, targets, names = self._prepared(folders["train"])
        groups = self._groups(names)
        strata = {group: str(targets[members[0]]) for group, members in groups.items()}
        split = split_subjects(strata, self.rule)
        parts = {part: [i for group in ids for i in groups[group]] for part, ids in split.as_dict().items()}
        self.split = Split(**{part: [names[i] for i in members] for part, members in parts.items()})
        self.parts = {
            part: (images[sorted(members)], targets[sorted(members)]) for part, members in parts.items()
        }
        if "test" in folders:
            test_images, test_targets, test_names = self._prepared(folders["test"])
            self.parts["test"] = (np.asarray(test_images), test_targets)
            self.split = Split(self.split.train, self.split.val, test_names)
        self.facts = {f"{part}_slices": len(targets) for part, (_, targets) in self.parts.items()}

    def train_dataloader(self) -> DataLoader[Any]:
        images, targets = self.parts["train"]
        dataset = SliceDataset(images, targets, self.recipe, self.seed)
        return train_loader(dataset, len(targets), self.recipe.batch_size, self.seed, self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._plain("val")

    def test_dataloader(self) -> DataLoader[Any]:
        return self._plain("test")

    def _plain(self, part: str) -> DataLoader[Any]:
        images, targets = self.parts[part]
        dataset = SliceDataset(images, targets, self.recipe, seed=None)
        return plain_loader(dataset, max(self.recipe.batch_size, 32), self.workers)

    def _folders(self) -> dict[str, Path]:
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; {WHERE_FROM}")
        if not (self.root / "Training").is_dir():
            return {"train": self.root}
        parts = {"train": self.root / "Training", "test": self.root / "Testing"}
        return {part: folder for part, folder in parts.items() if folder.is_dir()}

    def _prepared(self, folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
        """Prepared slices (N, S, S), class indices (N,) and file names relative to the root."""
        found = find_slices(folder, list(self.recipe.classes))
        paths = [path for path, _ in found]
        names = [path.relative_to(self.root).as_posix() for path in paths]
        key = self.cache.key(paths, slices=self.recipe.preprocess, names=names)
        arrays = self.cache.get(key, lambda: self._make(paths))
        good = arrays["good"]
        targets = np.array([target for _, target in found], dtype=np.int64)
        problems = {names[i]: _fault(paths[i]) for i in np.flatnonzero(~good)}
        refuse_if_bad(problems, len(paths), "slices", self.skip_bad)
        return arrays["images"], targets[good], [name for name, ok in zip(names, good, strict=True) if ok]

    def _make(self, paths: list[Path]) -> dict[str, NDArray[Any]]:
        images, good = [], []
        for path in paths:
            try:
                images.append(prepare_slice(read_slice(path), self.recipe.preprocess))
                good.append(True)
            except ImageError:
                good.append(False)
        side = self.recipe.preprocess.size
        return {"images": np.array(images, dtype=np.uint8).reshape(-1, side, side), "good": np.array(good)}

    def _groups(self, names: list[str]) -> dict[str, list[int]]:
        subjects = _subjects(self.root / "subjects.csv")
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            groups.setdefault(subjects.get(name, name), []).append(i)
        return groups


class SliceDataset(Dataset[tuple[torch.Tensor, int]]):
    """Network inputs (3, S, S) with their class; changed at random when there is a seed.

    Args:
        images: uint8 (N, S, S).
        targets: (N,) class indices.
        recipe: The classifier's section of the config.
        seed: Of the random changes; None leaves the slices as they are.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: NDArray[np.int64],
        recipe: ClassifierConfig,
        seed: int | None,
    ) -> None:
        self.images, self.targets, self.recipe, self.seed = images, targets, recipe, seed
        self.augment = SliceAugment(**vars(recipe.augment))

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, draw: Draw | int) -> tuple[torch.Tensor, int]:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw | int]) -> list[tuple[torch.Tensor, int]]:
        """The samples of a batch, as a DataLoader asks for them; made together, which is faster."""
        places = [draw if isinstance(draw, tuple) else (0, draw) for draw in draws]
        indices = [index for _, index in places]
        images = torch.from_numpy(np.stack([self.images[index] for index in indices]))
        if self.seed is not None:
            generators = [generator_of(self.seed, epoch, index) for epoch, index in places]
            changed = self.augment(images.float().unsqueeze(1), generators).squeeze(1)
            images = changed.clamp(0, 255).round().to(torch.uint8)
        inputs = network_input(images, self.recipe.preprocess)
        return [(x, int(self.targets[index])) for x, index in zip(inputs, indices, strict=True)]


def _fault(path: Path) -> str:
    try:
        read_slice(path)
    except ImageError as error:
        return str(error)
    return "it could not be read before"


def _subjects(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"file", "subject"} <= set(rows[0]):
        raise DataError(f"{path} must have the columns file and subject; it has {list(rows[0])}")
    return {row["file"]: row["subject"] for row in rows}
