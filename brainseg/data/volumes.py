"""Scans with a truth per voxel, prepared once, cut into random patches for training."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytorch_lightning as pl
import torch

from brainseg.augment import VolumeAugment
from brainseg.augment.on_device import made_of, read_uncut
from brainseg.config.choices import Intensity
from brainseg.config.errors import ConfigError, GeometryError, ImageError
from brainseg.config.prediction import ChooseConfig
from brainseg.config.training import VolumeRecipe
from brainseg.data.cache import ArrayCache, Arrays
from brainseg.data.groups import patients_of, read_groups
from brainseg.data.handover import BYTE, CPU, Handover
from brainseg.data.loader import Batch, Loader, Samples
from brainseg.data.loading import plain_loader, refuse_if_bad, train_loader
from brainseg.data.sampling import Draw, generator_of
from brainseg.data.settings import DataSettings
from brainseg.data.shared_memory import fitting_workers
from brainseg.data.splits import Split, limited, split_groups
from brainseg.data.unfinished import sweep_cache
from brainseg.files.there import refuse_no_folder
from brainseg.images.fates import in_one_line
from brainseg.images.found import Survey
from brainseg.images.layouts import Subject, survey
from brainseg.images.nifti import read_labels
from brainseg.images.preference import Choice
from brainseg.images.volume import Volume
from brainseg.preprocess.landmarks import PERCENTILES, head_percentiles, learn_landmarks
from brainseg.preprocess.volumes import prepare_labels, prepare_volume
from brainseg.runs.position import START
from brainseg.system.device import threads
from brainseg.system.terminal import followed

log = logging.getLogger("brainseg")


@dataclass(frozen=True)
class Case:
    """One scan to learn from.

    Args:
        subject: Whose scan it is.
        files: All files that it is made from.
        labels: The convention of its label map, where there are several.
    """

    subject: Subject
    files: list[Path]
    labels: str = ""

    @property
    def id(self) -> str:
        """The subject's."""
        return self.subject.id


class VolumeData(pl.LightningDataModule):
    """What the data sets of volumes share; each says which cases it has and reads one.

    Args:
        root: The data set's folder.
        recipe: The task's section of the config.
        settings: Those that all data sets take.
        choose: How to choose between scans of one subject that claim one sequence; None: none goes first.
        patients: How many to train on, of those of the training part; None: all.

    Raises:
        ConfigError: There would be none to train on.
    """

    regions: ClassVar[tuple[str, ...] | None] = None  # those that its truths have; None: all
    where_from: ClassVar[str]  # who has no such data reads where to get it
    beginning = START  # where the first training batches are from
    handover = CPU  # what is done for the device
    recorded: Split | None = None  # that of a run that goes on

    def __init__(
        self,
        root: str,
        recipe: VolumeRecipe,
        settings: DataSettings,
        choose: ChooseConfig | None = None,
        patients: int | None = None,
    ) -> None:
        super().__init__()
        if patients is not None and patients < 1:
            raise ConfigError(f"data.patients is {patients}; it must be 1 or more, or null for all")
        self.n_patients = patients
        self.choice = None if choose is None else Choice.of(choose)
        self.root, self.recipe, self.settings = Path(root), recipe, settings
        self.cache = ArrayCache(settings.cache)
        self.facts: dict[str, Any] = {}
        self._left_out: dict[str, str] = {}
        self.patients: dict[str, str] = {}

    @abstractmethod
    def cases(self) -> list[Case]:
        """All cases below the root, whole or not."""

    def found_subjects(self) -> list[Subject]:
        """The subjects below the root; a warning says what was chosen among the files of one.

        One line of the log says what became of all files; `brainseg audit` names each.
        """
        return self._found.subjects

    @cached_property
    def _found(self) -> Survey:
        """The survey, made once for the checks before training and for the training."""
        found = self.survey()
        log.info("%s: %s; brainseg audit names each", self.root, in_one_line(found.fates))
        for subject in found.subjects:
            for remark in subject.warnings:
                log.warning("%s: %s", subject.id, remark)
        return found

    @abstractmethod
    def read(self, case: Case) -> tuple[Volume, Volume]:
        """A case's image (C, X, Y, Z) and truth (1, X, Y, Z), on one grid."""

    def check_split(self) -> None:
        """Refuse a split that the subjects below the root cannot fill, without reading any.

        Raises:
            DataError: They are too few, or there is no such folder.
        """
        subjects = self._found.subjects
        self._find_patients(subjects)
        if self.recorded is None:
            self.split_of(subject.id for subject in subjects)

    def survey(self) -> Survey:
        """The subjects below the root, and what became of every file there.

        Raises:
            DataError: There is no such folder, or no scan in it.
        """
        refuse_no_folder(self.root, self.where_from)
        return survey(self.root, choice=self.choice)

    def prepare_data(self) -> None:
        sweep_cache(self.cache.folder)
        self._prepare()

    def setup(self, stage: str) -> None:
        self._prepare()
        self.facts |= {f"{part}_subjects": len(ids) for part, ids in self.split.as_dict().items()}

    def train_samples(self) -> Any:
        """The training samples, each to be asked for by (epoch, index)."""
        cases = [self.arrays[name] for name in self.split.train]
        return PatchDataset(cases, self.recipe, self.settings.seed, self.handover)

    def train_dataloader(self) -> Loader:
        seed, dataset = self.settings.seed, self.train_samples()
        return train_loader(
            dataset, len(dataset), self.recipe.batch_size, seed, self.loaders, self.beginning, self.handover
        )

    def val_dataloader(self) -> Loader:
        return self._whole(self.split.val)

    def test_dataloader(self) -> Loader:
        return self._whole(self.split.test)

    def _whole(self, names: Iterable[str]) -> Loader:
        return plain_loader(
            WholeDataset([self.arrays[name] for name in names]), 1, self.loaders, self.handover
        )

    @cached_property
    def loaders(self) -> int:
        """Loader processes of each part; found once, before any of them takes shared memory."""
        if self.handover.augment and self.settings.workers == "auto":
            return 0  # to read is all that is left to do
        whole = [self.arrays[name] for name in (*self.split.val, *self.split.test)]
        return fitting_workers(
            self.settings.workers,
            train_bytes=self.recipe.batch_size * self._sample_bytes,
            other_bytes=max(map(_bytes, whole)),
        )

    @property
    def _sample_bytes(self) -> int:
        """What a training sample takes between processes, at most."""
        if self.handover.augment:  # all that a turned patch may show
            return max(_bytes(self.arrays[name]) for name in self.split.train)
        channels = next(iter(self.arrays.values()))["image"].shape[0]
        return (channels * self.handover.image_type.itemsize + BYTE) * prod(self.recipe.patch)

    def _prepare(self) -> None:
        """Split the usable cases; map their images float16 (C, X, Y, Z) and truths uint8 (X, Y, Z)."""
        cases = self.cases()
        self._find_patients([case.subject for case in cases])
        if self.recipe.preprocess.intensity is Intensity.landmarks:
            what = {"volume": self.recipe.preprocess, "percentiles": PERCENTILES}
            found = self._kept(cases, "reading histograms", self._histograms, **what)
            self.split = self.split_of(found)
            train = [found[name]["percentiles"] for name in self.split.train]
            self.facts["landmarks"] = [learn_landmarks(channel) for channel in zip(*train, strict=True)]
        self.arrays = self._prepared(cases)
        self.split = self.split_of(self.arrays)

    def everything(self, landmarks: Any) -> dict[str, Arrays]:
        """All usable cases, prepared for a trained model; there is no split.

        Args:
            landmarks: The model's, where it learnt some.
        """
        self.facts["landmarks"] = landmarks
        return self._prepared(self.cases())

    def _prepared(self, cases: list[Case]) -> dict[str, Arrays]:
        how = {"volume": self.recipe.preprocess, "landmarks": self.facts.get("landmarks")}
        return self._kept(cases, "preparing scans", self._make, **how)

    def split_of(self, ids: Iterable[str]) -> Split:
        """The parts, of the ids of all usable cases: those of the run that goes on, if they are its own.

        All visits of a patient, or of a group of the table, are in one part and in one fold.
        """
        names = sorted(ids)
        if self.recorded is not None and self._are_of(self.recorded, names):
            return self.recorded
        split = self._drawn(names)
        if self.n_patients is None:
            return split
        patients = {name: self.patients.get(name, name) for name in names}
        return limited(split, patients, self.n_patients, self.settings.seed)

    def _are_of(self, recorded: Split, names: list[str]) -> bool:
        """Whether a run had these subjects, of whom some may not have been trained on."""
        if self.n_patients is None:
            return sorted(recorded.ids) == names
        return set(recorded.ids) <= set(names)

    def _drawn(self, ids: Sequence[str]) -> Split:
        return split_groups({name: self.patients.get(name, name) for name in ids}, self.settings.rule)

    def _find_patients(self, subjects: Sequence[Subject]) -> None:
        """Whose each subject is; one line of the log says so where patients have several visits."""
        own = {subject.id: subject.patient or subject.id for subject in subjects}
        table = self.settings.groups
        named = {} if table is None else read_groups(Path(table), sorted(own), "subjects")
        self.patients = patients_of(own, named)
        n = len(set(self.patients.values()))
        if n < len(own) and "patients" not in self.facts:
            log.info(
                "%s: %d scans of %d patients; those of one patient stay together", self.root, len(own), n
            )
            self.facts["patients"] = n

    def _kept(
        self, cases: list[Case], about: str, make: Callable[[Case], Arrays], **settings: Any
    ) -> dict[str, Arrays]:
        """What is made of each case, from the cache where it was made before; unusable cases are named."""
        arrays: dict[str, Arrays] = {}
        problems: dict[str, str] = {}

        def attempt(case: Case) -> None:
            try:
                case.subject.refuse_labels()
                key = self.cache.key(case.files, reader=[type(self).__name__, case.labels], **settings)
                arrays[case.id] = self.cache.get(key, lambda: make(case))
            except (ImageError, OSError) as error:
                problems[case.id] = str(error)

        with ThreadPoolExecutor(threads()) as pool:
            list(followed(pool.map(attempt, cases), about, len(cases)))
        if problems != self._left_out:  # said once, though the cases are gone through several times
            refuse_if_bad(problems, len(cases), "subjects", self.settings.skip_bad)
            self._left_out = problems
        return arrays

    def _histograms(self, case: Case) -> Arrays:
        image, _ = self.read(case)
        plain = replace(self.recipe.preprocess, intensity=Intensity.minmax)  # what is linear changes nothing
        prepared = prepare_volume(image, plain)
        return {"percentiles": np.stack([head_percentiles(channel) for channel in prepared.image])}

    def _make(self, case: Case) -> Arrays:
        image, truth = self.read(case)
        for remark in image.remarks:
            log.warning("%s: %s", case.id, remark.sentence)
        prepared = prepare_volume(image, self.recipe.preprocess, landmarks=self.facts.get("landmarks"))
        labels = prepare_labels(truth, prepared)
        return {"image": prepared.image.astype(np.float16), "truth": labels}


def _bytes(case: Arrays) -> int:
    return sum(array.nbytes for array in case.values())


def truth_of(path: Path, image: Volume) -> Volume:
    """The label map of an image, (1, X, Y, Z).

    Raises:
        ImageError: It cannot be read, or holds no labels.
        GeometryError: It does not lie on the image's grid.
    """
    truth = read_labels(path)
    if difference := image.grid.difference(truth.grid):
        raise GeometryError(f"{path} does not lie on the grid of its scan: {difference}")
    return truth


class Patches(Samples):
    """Random patches (C, x, y, z) with their truth (x, y, z); on a device they are cut and changed there.

    Args:
        recipe: The task's section of the config.
        seed: Draws the patches and their changes.
        handover: What is done for the device.
    """

    def __init__(self, recipe: VolumeRecipe, seed: int, handover: Handover) -> None:
        self.recipe, self.seed, self.handover = recipe, seed, handover
        x, y, z = recipe.patch
        self.augment = VolumeAugment(
            (x, y, z), recipe.foreground_share, flip_axes=(0,), **vars(recipe.augment)
        )

    def patch_of(self, case: Arrays, generator: torch.Generator) -> Any:
        """A sample of a case, image (C, X, Y, Z) and truth (X, Y, Z)."""
        image, truth = torch.from_numpy(case["image"]), torch.from_numpy(case["truth"])
        if self.handover.augment:
            return read_uncut(self.augment, image, truth, generator)
        image, truth = self.augment(image, truth, generator)
        return image.to(self.handover.image_type).contiguous(), truth.contiguous()

    def collate(self, samples: list[Any]) -> Any:
        return samples if self.handover.augment else super().collate(samples)

    def finish(self, batch: Any) -> Batch:
        return super().finish(made_of(self.augment, batch) if self.handover.augment else batch)


class PatchDataset(Patches):
    """`patches_per_volume` patches of each prepared scan an epoch."""

    def __init__(
        self, cases: list[Arrays], recipe: VolumeRecipe, seed: int, handover: Handover = CPU
    ) -> None:
        super().__init__(recipe, seed, handover)
        self.cases = cases

    def __len__(self) -> int:
        return len(self.cases) * self.recipe.patches_per_volume

    def __getitem__(self, draw: Draw) -> Any:
        epoch, index = draw
        case = self.cases[index // self.recipe.patches_per_volume]
        return self.patch_of(case, generator_of(self.seed, epoch, index))


class WholeDataset(Samples):
    """Whole prepared scans (C, X, Y, Z) with their truth (X, Y, Z), in the numbers that they are kept in."""

    def __init__(self, cases: list[Arrays]) -> None:
        self.cases = cases

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        case = self.cases[index]
        return torch.from_numpy(case["image"]), torch.from_numpy(case["truth"])
