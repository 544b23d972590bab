"""The slices of the classifier, as the two Kaggle brain-tumour sets come: prepared, divided and loaded."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_only

from brainseg.config import ClassifierConfig
from brainseg.config.errors import ConfigError, DataError, ImageError
from brainseg.data.cache import ArrayCache
from brainseg.data.duplicates import cached_copies, clusters
from brainseg.data.groups import joined_subjects, numbers_of, read_groups, united
from brainseg.data.handover import BYTE, CPU, LONG
from brainseg.data.loader import Loader
from brainseg.data.loading import plain_loader, refuse_if_bad, train_loader
from brainseg.data.settings import DataSettings
from brainseg.data.shared_memory import fitting_workers
from brainseg.data.slice_files import find_slices, slice_folders, subjects_of
from brainseg.data.slices import SliceDataset, Slices, in_proportion, places_by_part
from brainseg.data.splits import Split
from brainseg.data.unfinished import sweep_cache
from brainseg.images.jpeg import read_slice
from brainseg.preprocess.slices import prepare_slice
from brainseg.runs.position import START

SPLITS = ("random", "grouped", "official")
_say = rank_zero_only(print)  # of several processes one speaks


class KaggleSlices(pl.LightningDataModule):
    """Slices for the classifier.

    A file subjects.csv (file, subject) keeps a subject's slices in one part; without it each slice counts as
    a subject of its own. How they are divided is said by `split`:

    - random: subjects are drawn for validation; a Testing folder is the test part. Where a set holds copies
      of its slices, as Kaggle's does, the scores are too high.
    - grouped: the same, but copies stay together, and slices of Training that are copies of slices in
      Testing are left out.
    - official: all of Training is trained on, and Testing both validates and tests, as most published
      figures on this set were obtained. The best checkpoint is then chosen on the slices that it is scored
      on, and copies of them are trained on.

    A table `data.groups` (file, group), of patients for instance, keeps each group in one part too: slices of
    Training whose group has slices in Testing are left out, and shares are of slices.

    Args:
        root: The data set's folder, with Training/ and perhaps Testing/, or a folder of class folders.
        recipe: The classifier's section of the config.
        settings: Those that all data sets take; test_share is used without a Testing folder.
        split: random, grouped or official.
        limit: How many slices of Training are used, each class in its proportion; None: all.
    """

    beginning = START  # where the first training batches are from
    handover = CPU  # what is done for the device

    def __init__(
        self,
        root: str,
        recipe: ClassifierConfig,
        settings: DataSettings,
        split: str,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        if split not in SPLITS:
            raise ConfigError(f"data.split must be one of {', '.join(SPLITS)}, got {split}")
        if split == "official" and settings.folds is not None:
            raise ConfigError(
                f"data.folds is {settings.folds}, but data.split=official trains on all of Training; "
                "set data.folds=null"
            )
        if split == "official" and settings.groups is not None:
            raise ConfigError(
                f"data.groups is {settings.groups}, but data.split=official trains on all of Training; "
                "set data.split=grouped, or data.groups=null"
            )
        if limit is not None and limit < 2 * len(recipe.classes):
            raise ConfigError(f"data.limit must be two slices a class or more, got {limit}")
        self.root, self.recipe, self.settings = Path(root), recipe, settings
        self.split_name, self.limit = split, limit
        self.groups = None if settings.groups is None else Path(settings.groups)
        self.cache = ArrayCache(settings.cache)
        self.facts: dict[str, Any] = {}

    def check_split(self) -> None:
        """Refuse a split that the slices below the root cannot fill, without reading any.

        Raises:
            DataError: They are too few, or a folder is not there.
        """
        folders = self._folders()
        if self.split_name == "official":
            return
        found = find_slices(folders["Training"], list(self.recipe.classes))
        targets = np.array([target for _, target in found], dtype=np.int64)
        places = in_proportion(targets, self.limit or len(found), seed=self.settings.seed)
        names = [found[i][0].relative_to(self.root).as_posix() for i in places]
        subjects = subjects_of(self.root, names)
        if self.groups is not None:
            subjects = joined_subjects(subjects, numbers_of(self._table(names), names))
        places_by_part(subjects, targets[places], self.settings.rule, by_slices=self._by_slices)

    def prepare_data(self) -> None:
        sweep_cache(self.cache.folder)
        slices = self._slices()
        if self.split_name == "grouped":
            self._clusters(slices)

    def setup(self, stage: str) -> None:
        slices = self._slices()
        if self.split_name == "official":
            self.parts = {"train": slices["Training"], "val": slices["Testing"], "test": slices["Testing"]}
        else:
            self.parts = self._drawn(slices)
        self.split = Split(**{part: kept.names for part, kept in self.parts.items()})
        self.facts |= {f"{part}_slices": len(kept.names) for part, kept in self.parts.items()}

    def everything(self) -> list[Slices]:
        """All usable slices, of Training and then of Testing; there is no split.

        Copies of a slice, and slices of one group, count as one subject.
        """
        slices = self._slices()
        if not self._by_slices:
            return list(slices.values())
        together, n = self._together(slices), len(slices["Training"].names)
        of_each = {"Training": together[:n], "Testing": together[n:]}
        return [
            own._replace(subjects=joined_subjects(own.subjects, of_each[part]))
            for part, own in slices.items()
        ]

    def _drawn(self, slices: dict[str, Slices]) -> dict[str, Slices]:
        """The parts of a random or grouped split."""
        if self._by_slices:
            slices = self._grouped(slices)
        training = slices["Training"]
        places = places_by_part(
            training.subjects, training.targets, self.settings.rule, by_slices=self._by_slices
        )
        drawn = {part: training.at(own) for part, own in places.items()}
        return drawn | ({"test": slices["Testing"]} if "Testing" in slices else {})

    def _grouped(self, slices: dict[str, Slices]) -> dict[str, Slices]:
        """Copies, and slices of one group, count as one subject.

        Slices of Training with a copy or their group in Testing are left out.
        """
        together, n = self._together(slices), len(slices["Training"].names)
        kept = np.flatnonzero(~np.isin(together[:n], together[n:]))
        slices = slices | {"Training": slices["Training"].at(kept)}
        of_each = {"Training": together[kept], "Testing": together[n:]}
        return {
            part: of_part._replace(subjects=joined_subjects(of_part.subjects, of_each[part]))
            for part, of_part in slices.items()
        }

    def _together(self, slices: dict[str, Slices]) -> NDArray[np.int64]:
        """A number for each slice of Training, then of Testing: the same for copies and within a group."""
        names, n = [name for part in slices.values() for name in part.names], len(slices["Training"].names)
        numbers = []
        if self.split_name == "grouped":
            numbers.append(self._clusters(slices))
            self._note_copies(numbers[0], n)
        if self.groups is not None:
            table = self._table(names)
            numbers.append(numbers_of(table, names))
            self._note_groups(table, numbers[-1], n)
        return united(len(names), *numbers)

    def _table(self, names: Sequence[str]) -> dict[str, str]:
        assert self.groups is not None
        return read_groups(self.groups, names)

    @property
    def _by_slices(self) -> bool:
        """Whether slices are drawn in groups of different sizes, so that shares must be of slices."""
        return self.split_name == "grouped" or self.groups is not None

    def _clusters(self, slices: dict[str, Slices]) -> NDArray[np.int64]:
        """A number for each slice of Training, then of Testing: the same for copies."""
        paths = [self.root / name for part in slices.values() for name in part.names]
        return clusters(len(paths), cached_copies(paths, self.cache))

    def _note_copies(self, clusters: NDArray[np.int64], n: int) -> None:
        """What grouping copies did: kept as facts of the run, and said the first time.

        Args:
            clusters: Of each slice.
            n: How many of them are of Training; they come first.
        """
        sizes, left_out = np.bincount(clusters), int(np.isin(clusters[:n], clusters[n:]).sum())
        copies, n_clusters = int(sizes[sizes > 1].sum()), int((sizes > 1).sum())
        if "copies" not in self.facts:
            _say(
                f"data.split=grouped: {copies} of {len(clusters)} slices have copies; {n_clusters} clusters "
                f"of copies stay together, {left_out} slices of Training are left out as copies in Testing"
            )
        self.facts |= {"copies": copies, "copy_clusters": n_clusters, "left_out_copies": left_out}

    def _note_groups(self, table: Mapping[str, str], numbers: NDArray[np.int64], n: int) -> None:
        """The same of the table's groups."""
        n_groups, left_out = len(set(table.values())), int(np.isin(numbers[:n], numbers[n:]).sum())
        if "groups" not in self.facts:
            _say(
                f"data.groups={self.groups}: {len(table)} of {len(numbers)} slices are in {n_groups} groups, "
                f"each on one side; {left_out} slices of Training are left out as their group is in Testing"
            )
        self.facts |= {"groups": n_groups, "slices_in_groups": len(table), "left_out_groups": left_out}

    def train_samples(self) -> SliceDataset:
        """The training samples, each to be asked for by (epoch, index)."""
        return SliceDataset(self.parts["train"], self.recipe, self.settings.seed, self.handover)

    def train_dataloader(self) -> Loader:
        seed, dataset = self.settings.seed, self.train_samples()
        return train_loader(
            dataset,
            len(dataset),
            self.recipe.batch_size,
            seed,
            self.loaders,
            self.beginning,
            self.handover,
        )

    def val_dataloader(self) -> Loader:
        return self._plain("val")

    def test_dataloader(self) -> Loader:
        return self._plain("test")

    def _plain(self, part: str) -> Loader:
        dataset = SliceDataset(self.parts[part], self.recipe, seed=None)
        return plain_loader(dataset, self._plain_batch, self.loaders, self.handover)

    @property
    def _plain_batch(self) -> int:
        return max(self.recipe.batch_size, 32)

    @cached_property
    def loaders(self) -> int:
        """Loader processes of each part; found once, before any of them takes shared memory."""
        if self.handover.augment and self.settings.workers == "auto":
            return 0  # to read is all that is left to do
        slice_bytes = self.recipe.preprocess.size**2 * BYTE + LONG
        return fitting_workers(
            self.settings.workers,
            train_bytes=self.recipe.batch_size * slice_bytes,
            other_bytes=self._plain_batch * slice_bytes,
        )

    def _folders(self) -> dict[str, Path]:
        folders = slice_folders(self.root)
        if self.split_name == "official" and "Testing" not in folders:
            raise DataError(
                f"{self.root} has no folder Testing, on which data.split=official validates and tests; "
                "set data.split=grouped, or fetch it"
            )
        return folders

    def _slices(self) -> dict[str, Slices]:
        slices = {part: self._prepared(folder) for part, folder in self._folders().items()}
        if self.limit is not None:
            training = slices["Training"]
            slices["Training"] = training.at(
                in_proportion(training.targets, self.limit, seed=self.settings.seed)
            )
        return slices

    def _prepared(self, folder: Path) -> Slices:
        found = find_slices(folder, list(self.recipe.classes))
        paths = [path for path, _ in found]
        names = [path.relative_to(self.root).as_posix() for path in paths]
        key = self.cache.key(paths, slices=self.recipe.preprocess, names=names)
        arrays = self.cache.get(key, lambda: self._make(paths))
        faults = _faults(paths, arrays["good"])
        if not all(faults.values()):  # too many files were open, for instance: no fault of the slice
            arrays = self.cache.get(key, lambda: self._make(paths), anew=True)
            faults = _faults(paths, arrays["good"])
        good = arrays["good"]
        targets = np.array([target for _, target in found], dtype=np.int64)
        named = {names[i]: fault or "could not be read a moment ago" for i, fault in faults.items()}
        refuse_if_bad(named, len(paths), "slices", self.settings.skip_bad)
        kept = [name for name, ok in zip(names, good, strict=True) if ok]
        subjects = subjects_of(self.root, kept)
        return Slices(arrays["images"], np.arange(len(kept)), targets[good], kept, subjects)

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


def _faults(paths: Sequence[Path], good: NDArray[np.bool_]) -> dict[int, str | None]:
    """What is wrong with each slice that was not good; None where it can be read by now."""
    return {i: _fault(path) for i, path in enumerate(paths) if not good[i]}


def _fault(path: Path) -> str | None:
    try:
        read_slice(path)
    except ImageError as error:
        return str(error)
    return None
