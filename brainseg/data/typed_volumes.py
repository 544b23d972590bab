"""Scans of subjects whose tumour type is known: what a classifier of volumes learns from."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from brainseg.config import ANY, VolumeClassifierConfig
from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.prediction import ChooseConfig
from brainseg.data.cache import Arrays
from brainseg.data.cubes import TrainingCubes, WholeCubes, cube_loaders, drawn_sequences
from brainseg.data.handover import CPU, Handover
from brainseg.data.loader import Loader
from brainseg.data.loading import plain_loader
from brainseg.data.scan_types import by_folders, by_table
from brainseg.data.settings import DataSettings
from brainseg.data.splits import Split, split_groups
from brainseg.data.volumes import Case, VolumeData
from brainseg.files.there import refuse_no_folder
from brainseg.images.found import Survey
from brainseg.images.masks import with_margin
from brainseg.images.nifti import read_labels
from brainseg.images.source import read
from brainseg.images.subject import Subject
from brainseg.images.volume import Grid, Volume, resample_to
from brainseg.inference.stripped import LARGEST_CUT_ML, brain_if_stripped
from brainseg.preprocess.volumes import prepare_volume

log = logging.getLogger("brainseg")


class VolumesByType(VolumeData):
    """Scans with their tumour type; whole heads are cut out by their brain masks.

    Args:
        label: The column of participants.tsv that says the type; None: a folder for each class says it.
        root, recipe, settings, choose, patients: As for VolumeData.
    """

    where_from = DATA_SETS["volumes"].where_from
    recipe: VolumeClassifierConfig  # type: ignore[assignment]

    def __init__(
        self,
        root: str,
        recipe: VolumeClassifierConfig,
        settings: DataSettings,
        label: str | None = None,
        choose: ChooseConfig | None = None,
        patients: int | None = None,
    ) -> None:
        if not isinstance(recipe, VolumeClassifierConfig):
            raise ConfigError("data=volumes is for model=volume_classifier; set it, or data=brats or nfbs")
        super().__init__(root, recipe, settings, choose, patients)  # type: ignore[arg-type]  # it has no patches
        self.label = label
        self.types: dict[str, str] = {}

    def survey(self) -> Survey:
        refuse_no_folder(self.root, self.where_from)
        classes = list(self.recipe.classes)
        if self.label is None:
            found, self.types = by_folders(self.root, classes, self.choice)
        else:
            found, self.types = by_table(self.root, self.label, classes, self.choice)
        return found

    def cases(self) -> list[Case]:
        return [
            Case(one, self._files(one), f"margin {self.recipe.margin_mm}") for one in self.found_subjects()
        ]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        known = "train_types" in self.facts
        for part, names in self.split.as_dict().items():
            self.facts[f"{part}_types"] = {
                kind: sum(self.types[name] == kind for name in names) for kind in self.recipe.classes
            }
        lacking = [kind for kind, n in self.facts["train_types"].items() if not n]
        if lacking and not known:
            log.warning(
                "the training part has no %s, which the classifier will not learn; add subjects of it, or "
                "change seed or data.val_share",
                lacking[0],
            )

    def train_samples(self) -> "DrawnCubes":
        names = self.split.train
        arrays = [self.arrays[name] for name in names]
        return DrawnCubes(arrays, self._targets(names), self.recipe, self.settings.seed, self.handover)

    def _whole(self, names: Iterable[str]) -> Loader:
        cases = {name: self.arrays[name] for name in names}
        return plain_loader(self.whole(cases), 1, self.loaders, self.handover)

    def whole(self, cases: Mapping[str, Arrays]) -> WholeCubes:
        """Prepared scans as prediction shows them, with their classes; of any one sequence the first."""
        images = [_first_if_any(one["image"], self.recipe) for one in cases.values()]
        return WholeCubes(images, self._targets(cases), self.recipe.side)

    @cached_property
    def loaders(self) -> int:
        """Loader processes of each part; found once, before any of them takes shared memory."""
        return cube_loaders(self.recipe, self.settings.workers, self.handover)

    def _targets(self, names: Iterable[str]) -> list[int]:
        return [list(self.recipe.classes).index(self.types[name]) for name in names]

    def _drawn(self, ids: Sequence[str]) -> Split:
        own = {name: self.patients.get(name, name) for name in ids}
        return split_groups(own, self.settings.rule, {name: self.types[name] for name in ids})

    def _files(self, subject: Subject) -> list[Path]:
        images = [path for name in self._wanted(subject) for path in subject.images[name].files]
        mask = subject.mask_of(self._wanted(subject)[0]) if images else None
        return [*images, *([mask] if mask else [])]

    def _wanted(self, subject: Subject) -> list[str]:
        """The sequences of a subject that the network takes, in its order."""
        every = list(self.recipe.preprocess.modalities)
        return list(subject.images) if every == [ANY] else [name for name in every if name in subject.images]

    def read(self, case: Case) -> tuple[Volume, Volume]:
        """The sequences on the grid of the first, (C, X, Y, Z), and what to cut out, (1, X, Y, Z).

        Raises:
            ImageError: It is a whole head without a brain mask.
        """
        subject, names = case.subject, self._wanted(case.subject)
        volumes = [read(subject.images[name]) for name in names]
        for name, volume in zip(names, volumes, strict=True):
            for remark in volume.remarks:
                log.warning("%s: %s: %s", subject.id, name, remark.sentence)
        grid = volumes[0].grid
        placed = [_on(volume, grid, nearest=False).data.astype(np.float32) for volume in volumes]
        scan, path = Volume(np.concatenate(placed), grid), subject.mask_of(names[0])
        if path is not None:
            mask = _on(read_labels(path), grid, nearest=True).data[0] > 0
            return scan, Volume(with_margin(mask, self.recipe.margin_mm, grid.spacing_mm)[None], grid)
        if brain_if_stripped(volumes[0], LARGEST_CUT_ML) is None:
            raise ImageError(
                f"{subject.images[names[0]]} shows the skull and has no brain mask, so that the classifier "
                "would learn which scans have a skull; strip it by predict.py, or lay a mask "
                "(*_brainmask.nii.gz) beside it"
            )
        return scan, Volume((scan.data != 0).any(axis=0)[None], grid)

    def _make(self, case: Case) -> Arrays:
        """The prepared image, float16 (C, X, Y, Z), 0 in the channels of sequences that are not there.

        With `modalities` [any] it has a channel for each sequence that is there.
        """
        every, names = list(self.recipe.preprocess.modalities), self._wanted(case.subject)
        self._refuse_lacking(case.subject, names)
        scan, brain = self.read(case)
        how = replace(self.recipe.preprocess, modalities=names)
        prepared = prepare_volume(scan, how, brain.data[0]).image.astype(np.float16)
        if every == [ANY]:
            return {"image": prepared}
        image = np.zeros((len(every), *prepared.shape[1:]), dtype=np.float16)
        image[[every.index(name) for name in names]] = prepared
        return {"image": image}

    def _refuse_lacking(self, subject: Subject, names: Sequence[str]) -> None:
        every = list(self.recipe.preprocess.modalities)
        lacking = [name for name in every if name not in names] if every != [ANY] else []
        if not names or (lacking and not self.recipe.subset_share):
            raise ImageError(
                f"{subject.folder} has {', '.join(subject.images) or 'no image'}, but the classifier takes "
                f"{', '.join(every)}; set volume_classifier.preprocess.modalities to what is there, or "
                "volume_classifier.subset_share above 0"
            )


class DrawnCubes(TrainingCubes):
    """Cubes of prepared scans, each showing some of its sequences.

    Args:
        cases: Their images (C, X, Y, Z).
        targets, recipe, seed, handover: As for TrainingCubes.
    """

    def __init__(
        self,
        cases: Sequence[Arrays],
        targets: Sequence[int],
        recipe: VolumeClassifierConfig,
        seed: int,
        handover: Handover = CPU,
    ) -> None:
        super().__init__(recipe, targets, seed, handover)
        self.cases = cases

    def scan(self, index: int, generator: Generator) -> torch.Tensor:
        image = torch.from_numpy(self.cases[index]["image"])
        if list(self.recipe.preprocess.modalities) == [ANY]:
            return image[int(torch.randint(len(image), (), generator=generator))][None]
        there = image.ne(0).flatten(1).any(dim=1).nonzero().flatten().tolist()
        shown = drawn_sequences(there, self.recipe, generator)
        hidden = [channel for channel in there if channel not in shown]
        if hidden:
            image = image.clone()
            image[hidden] = 0
        return image


def _first_if_any(image: NDArray[Any], recipe: VolumeClassifierConfig) -> torch.Tensor:
    """What a part that is not trained on shows of a scan; of any one sequence the first that is there."""
    shown = torch.from_numpy(image)
    return shown[:1] if list(recipe.preprocess.modalities) == [ANY] else shown


def _on(volume: Volume, grid: Grid, *, nearest: bool) -> Volume:
    """A volume at the voxels of a grid; one that lies on it already is left as it is."""
    return volume if volume.grid.difference(grid) is None else resample_to(volume, grid, nearest=nearest)
