"""Prepared 2D slices: some of them, chosen and divided by class and subject, and the samples made of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.augment import SliceAugment
from brainseg.config import ClassifierConfig
from brainseg.data.handover import CPU, Handover
from brainseg.data.loader import Batch, Samples
from brainseg.data.sampling import Draw, generator_of
from brainseg.data.splits import SplitRule, split_subjects
from brainseg.preprocess.slices import network_input


class Slices(NamedTuple):
    """Some of a folder's prepared slices; their pixels stay on disk until they are asked for.

    Attributes:
        folder: All prepared slices of the folder, (M, S, S), memory-mapped.
        rows: Which of them these are, (N,).
        targets: Their classes, (N,).
        names: Their files, relative to the root.
        subjects: Whom each shows, (N,): slices of one subject, or copies of each other, are not independent.
    """

    folder: NDArray[np.uint8]
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    names: list[str]
    subjects: list[str]

    def at(self, places: Sequence[int] | NDArray[np.integer[Any]]) -> "Slices":
        """Some of these, in their order."""
        chosen = np.array(sorted(places), dtype=np.int64)
        names, subjects = ([values[i] for i in chosen] for values in (self.names, self.subjects))
        return Slices(self.folder, self.rows[chosen], self.targets[chosen], names, subjects)

    def images(self, places: Sequence[int]) -> NDArray[np.uint8]:
        """Read into memory, (len(places), S, S)."""
        return np.asarray(self.folder[self.rows[list(places)]])


def in_proportion(targets: NDArray[np.int64], n: int, *, seed: int) -> list[int]:
    """Places of n random slices, or of all where there are fewer, each class in its proportion."""
    rng = np.random.default_rng(seed)
    place = np.empty(len(targets))
    for target in np.unique(targets):
        members = rng.permutation(np.flatnonzero(targets == target))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return sorted(np.argsort(place, kind="stable")[:n].tolist())


def places_by_part(
    subjects: Sequence[str], targets: NDArray[np.int64], rule: SplitRule, *, by_slices: bool
) -> dict[str, list[int]]:
    """The places of the slices in each part of a split that keeps the slices of a subject together.

    Args:
        subjects: Whom each slice shows.
        targets: The class of each slice; a subject's is that of its first slice.
        rule: How subjects are divided.
        by_slices: Shares are of slices, else of subjects.
    """
    members: dict[str, list[int]] = {}
    for i, subject in enumerate(subjects):
        members.setdefault(subject, []).append(i)
    strata = {subject: str(targets[places[0]]) for subject, places in members.items()}
    sizes = {subject: len(places) for subject, places in members.items()} if by_slices else None
    split = split_subjects(strata, rule, sizes)
    return {
        part: [i for subject in chosen for i in members[subject]] for part, chosen in split.as_dict().items()
    }


class SliceDataset(Samples):
    """Slices, uint8 (S, S), with their class; changed at random when there is a seed.

    Args:
        slices: Which.
        recipe: The classifier's section of the config.
        seed: Draws the random changes; None leaves the slices as they are.
        handover: What is done for the device, where they may be changed.
    """

    def __init__(
        self, slices: Slices, recipe: ClassifierConfig, seed: int | None, handover: Handover = CPU
    ) -> None:
        self.slices, self.recipe, self.seed = slices, recipe, seed
        self.augment, self.changed_there = SliceAugment(**vars(recipe.augment)), handover.augment

    def __len__(self) -> int:
        return len(self.slices.targets)

    def __getitem__(self, draw: Draw | int) -> tuple[torch.Tensor, int, Draw]:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw | int]) -> list[tuple[torch.Tensor, int, Draw]]:
        """The samples of a batch, as a DataLoader asks for them; made together, which is faster."""
        places = [draw if isinstance(draw, tuple) else (0, draw) for draw in draws]
        indices = [index for _, index in places]
        images = torch.from_numpy(self.slices.images(indices))
        if not self.changed_there:
            images = self._changed(images, places)
        targets = self.slices.targets[indices].tolist()
        return list(zip(images, targets, places, strict=True))

    def collate(self, samples: list[tuple[torch.Tensor, int, Draw]]) -> Any:
        images, targets, places = zip(*samples, strict=True)
        return [*super().collate(list(zip(images, targets, strict=True))), places]

    def finish(self, batch: Any) -> Batch:
        """Network inputs (B, 3, S, S) of slices, uint8 (B, S, S), with their classes (B,)."""
        images, targets, places = batch
        if self.changed_there:
            images = self._changed(images, places)
        return [network_input(images, self.recipe.preprocess), targets]

    def _changed(self, images: torch.Tensor, places: Sequence[Draw]) -> torch.Tensor:
        if self.seed is None:
            return images
        generators = [generator_of(self.seed, epoch, index) for epoch, index in places]
        changed = self.augment(images.float().unsqueeze(1), generators).squeeze(1)
        return changed.clamp(0, 255).round().to(torch.uint8)
