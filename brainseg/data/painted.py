"""Synthetic data whose anatomy is kept on disk, and whose scans are painted anew for every patch.

They are painted on the CPU, in the processes that load data; or these hand over an anatomy and a seed, and
the device that trains paints.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import prod
from typing import Any, ClassVar, NamedTuple

import pytorch_lightning as pl
import torch

from brainseg.augment.on_device import Uncut, generator_at, read_uncut
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.config.training import VolumeClassifierConfig, VolumeRecipe
from brainseg.data.cache import ArrayCache, Arrays
from brainseg.data.handover import BYTE, CPU, FLOAT, Handover, moved
from brainseg.data.loader import Batch, Loader, Samples
from brainseg.data.loading import plain_loader, train_loader
from brainseg.data.painter import Painter
from brainseg.data.sampling import Draw, generator_of
from brainseg.data.settings import DataSettings
from brainseg.data.shared_memory import fitting_workers
from brainseg.data.splits import Split, split_subjects
from brainseg.data.unfinished import sweep_cache
from brainseg.data.volumes import Patches, WholeDataset
from brainseg.phantom.templates import TUMOR_SHARE, VERSION, Template, make_template
from brainseg.phantom.tissues import Tissues, tissues_of
from brainseg.runs.position import START
from brainseg.system.device import threads
from brainseg.system.terminal import followed

_KEPT = ("parts", "gray", "white", "brain")  # arrays of a template, a byte a voxel each


class Unpainted(NamedTuple):
    """What a patch is painted from: anatomy, the painting's seed, and where its random numbers stand."""

    tissues: Tissues
    seed: int
    state: bytes


class PaintedData(pl.LightningDataModule):
    """Templates of heads that are painted each time that they are shown; one subclass for each task.

    Only their anatomy is kept on disk. Heads of the validation and test parts are painted once each.

    Args:
        recipe: The task's section of the config; its spacing is that of the heads.
        settings: Those that all data sets take; the cache holds the anatomy.
        heads: How many different ones.

    Raises:
        ConfigError: The recipe is of another task, has no cubes for voxels, or wants what no painting has.
    """

    data: ClassVar[str]  # data=NAME
    task: ClassVar[str]
    intensity: ClassVar[Intensity]  # that suits any contrast
    crop: ClassVar[Crop]  # that suits these scans
    tumor_share: ClassVar[float] = TUMOR_SHARE  # of the templates
    beginning = START  # where the first training batches are from
    handover = CPU  # what is done for the device

    recipe: Any  # the task's section of the config

    def __init__(
        self, recipe: VolumeRecipe | VolumeClassifierConfig, settings: DataSettings, heads: int
    ) -> None:
        super().__init__()
        spacing_mm = recipe.preprocess.spacing_mm
        if spacing_mm is None or len(set(spacing_mm)) > 1:
            raise ConfigError(
                f"data={self.data} needs cubes, but {self.task}.preprocess.spacing_mm is {spacing_mm}; "
                "set it, for instance to [2,2,2]"
            )
        if recipe.preprocess.intensity is Intensity.landmarks:
            raise ConfigError(
                f"data={self.data} has any contrast, which no landmarks describe; "
                f"set {self.task}.preprocess.intensity={self.intensity}"
            )
        if recipe.preprocess.crop is Crop.report:
            raise ConfigError(
                f"{self.task}.preprocess.crop=report cuts files of BraTS, and data={self.data} has no files; "
                f"set {self.task}.preprocess.crop={self.crop}"
            )
        self.recipe, self.settings, self.n, self.spacing_mm = recipe, settings, heads, float(spacing_mm[0])
        self.cache = ArrayCache(settings.cache)
        self.facts: dict[str, Any] = {}

    @property
    def painter(self) -> Painter:
        """How a template becomes a scan as prediction would show it to the network, with its truth.

        Who makes `train_samples` and `whole_samples` another way needs none.
        """
        raise NotImplementedError

    def check_split(self) -> None:
        """Refuse a split that the heads cannot fill.

        Raises:
            DataError: They are too few.
        """
        self._split()

    def prepare_data(self) -> None:
        sweep_cache(self.cache.folder)
        self._templates()

    def setup(self, stage: str) -> None:
        templates = self._templates()
        self.split = self._split()
        self.templates = {
            part: [templates[int(name[5:])] for name in names] for part, names in self.split.as_dict().items()
        }
        self.facts |= {f"{part}_subjects": len(names) for part, names in self.split.as_dict().items()}
        self.facts["phantom"] = {"templates": VERSION, "heads": self.n, "seed": self.settings.seed}

    def train_samples(self) -> Any:
        """The heads of the training part, painted anew for each sample that (epoch, index) asks for."""
        templates, seed = self.templates["train"], self.settings.seed
        return PaintedPatches(templates, self.recipe, seed, self.painter, self.handover)

    def train_dataloader(self) -> Loader:
        seed, dataset = self.settings.seed, self.train_samples()
        return train_loader(
            dataset, len(dataset), self.recipe.batch_size, seed, self.loaders, self.beginning, self.handover
        )

    def val_dataloader(self) -> Loader:
        return plain_loader(self.whole_samples("val"), 1, self.loaders, self.handover)

    def test_dataloader(self) -> Loader:
        return plain_loader(self.whole_samples("test"), 1, self.loaders, self.handover)

    def whole_samples(self, part: str) -> Samples:
        """The heads of another part, painted once each."""
        painted = [self.painter.on_cpu(template, k) for k, template in enumerate(self.templates[part])]
        return WholeDataset(painted)

    def tumor_type_of(self, number: int) -> str | None:
        """The tumour type of a head; None draws it."""
        return None

    def grown_in(self, number: int) -> str | None:
        """The tumour type that a head has before it is painted."""
        return self.tumor_type_of(number)

    def _split(self) -> Split:
        strata = {f"head-{k:04d}": self.tumor_type_of(k) or "" for k in range(self.n)}
        return split_subjects(strata, self.settings.rule)

    @cached_property
    def loaders(self) -> int:
        """Loader processes of each part; found once, before any of them takes shared memory."""
        if self.handover.augment and self.settings.workers == "auto":
            return 0  # to read is all that is left to do
        channels = len(self.recipe.preprocess.modalities)
        patch = prod(self.recipe.patch) * (channels * self.handover.image_type.itemsize + BYTE)
        voxels = self.templates["train"][0].parts.size  # all heads have one grid
        whole = voxels * (channels * FLOAT + BYTE)
        return fitting_workers(
            self.settings.workers,
            train_bytes=self.recipe.batch_size * (len(_KEPT) * voxels if self.handover.augment else patch),
            other_bytes=whole,
        )

    def _templates(self) -> list[Template]:
        with ThreadPoolExecutor(threads()) as pool:
            made = pool.map(self._template, range(self.n))
            return list(followed(made, "making heads", self.n))

    def _template(self, number: int) -> Template:
        seed, kind = 1_000_000 * (self.settings.seed + 1) + number, self.grown_in(number)

        def make() -> Arrays:
            template = make_template(seed, self.spacing_mm, self.tumor_share, kind)
            return {name: getattr(template, name) for name in _KEPT}

        other: dict[str, Any] = {} if kind is None else {"tumor_type": kind}
        if self.tumor_share != TUMOR_SHARE:
            other["tumor_share"] = self.tumor_share
        key = self.cache.key([], template=VERSION, seed=seed, spacing_mm=self.spacing_mm, **other)
        arrays = self.cache.get(key, make)
        return Template(**arrays, spacing_mm=self.spacing_mm, tumor_type=self.tumor_type_of(number))


class PaintedPatches(Patches):
    """Patches (C, x, y, z) with their truth (x, y, z), each of a head that is painted for it.

    Args:
        templates: The heads.
        recipe: The task's section of the config.
        seed: Draws what is painted, the patches and their changes.
        painter: How they are painted.
        handover: What is done for the device.
    """

    def __init__(
        self,
        templates: list[Template],
        recipe: VolumeRecipe,
        seed: int,
        painter: Painter,
        handover: Handover = CPU,
    ) -> None:
        super().__init__(recipe, seed, handover)
        self.templates, self.painter = templates, painter

    def __len__(self) -> int:
        return len(self.templates) * self.recipe.patches_per_volume

    def __getitem__(self, draw: Draw) -> Any:
        epoch, index = draw
        generator = generator_of(self.seed, epoch, index)
        seed = int(torch.randint(2**62, (), generator=generator))
        template = self.templates[index // self.recipe.patches_per_volume]
        if self.handover.augment:
            return Unpainted(tissues_of(template), seed, generator.get_state().numpy().tobytes())
        return self.patch_of(self.painter.on_cpu(template, seed), generator)

    def finish(self, batch: Any) -> Batch:
        return super().finish([self._painted(one) for one in batch] if self.handover.augment else batch)

    def _painted(self, one: Unpainted) -> Uncut:
        image, truth = self.painter.on_device(one.tissues, one.seed)
        uncut = read_uncut(self.augment, image, truth, generator_at(one.state))
        moved_there: Uncut = moved(uncut, image.device)
        return moved_there
