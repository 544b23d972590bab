"""Training on synthetic heads: a cohort is written once, in the layout that the task's own reader reads."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.progress import Progress

from brainseg.config import TUMOR_TYPES
from brainseg.config.errors import ConfigError, ImageError
from brainseg.data.brats import BraTSVolumes
from brainseg.data.handover import CPU
from brainseg.data.kaggle import KaggleSlices
from brainseg.data.loader import Loader, Samples
from brainseg.data.nfbs import NFBSVolumes
from brainseg.data.settings import DataSettings
from brainseg.data.splits import Split, split_subjects
from brainseg.data.storage import not_kept
from brainseg.data.typed_volumes import VolumesByType
from brainseg.data.unfinished import sweep_cohorts
from brainseg.data.volumes import VolumeData
from brainseg.phantom import VERSION, is_whole, keep_cohort, training_types
from brainseg.runs.position import START

LAYOUTS = {
    "classifier": "kaggle",
    "skullstripper": "nfbs",
    "segmenter": "brats",
    "volume_classifier": "types",
}


class PhantomData(pl.LightningDataModule):
    """Phantoms below `root`, a folder for each set of settings, read by the real data set's data module.

    Args:
        root: Folder for cohorts.
        recipe: The task's section of the config.
        settings: Those that all data sets take, for the real data module.
        task: Which model is trained.
        subjects: Size of the cohort.
        spacing_mm: Voxel size of the heads.
        contrast: "realistic" or "random".
        types: Tumour types that take turns; None leaves the choice to the layout: gliomas for the segmenter.
        slices_per_subject: For the classifier.
        split: random, grouped or official, for the classifier; see KaggleSlices.
        operated_share: Share of the gliomas that are seen after surgery, for the segmenter: heads with a
            resection cavity, some of them without any tumour left. Their cohort has the names of BraTS 2024.
    """

    beginning = START  # where the first training batches are from
    handover = CPU  # what is done for the device
    recorded: Split | None = None  # that of a run that goes on

    def __init__(
        self,
        root: str,
        recipe: Any,
        settings: DataSettings,
        task: str,
        subjects: int,
        spacing_mm: float,
        contrast: str,
        types: list[str] | None,
        slices_per_subject: int,
        split: str,
        operated_share: float = 0.0,
    ) -> None:
        super().__init__()
        _check_operated(task, recipe, operated_share)
        if not isinstance(spacing_mm, int | float):
            raise ConfigError(f"data.spacing_mm is {spacing_mm}; data=phantom takes one number")
        self.cohort: dict[str, Any] = {
            "version": VERSION,  # heads drawn by older code are not taken for these
            "layout": LAYOUTS[task],
            "subjects": subjects,
            "seed": settings.seed,
            "spacing_mm": spacing_mm,
            "contrast": contrast,
            "types": types,
        }
        if task == "classifier":
            self.cohort |= {"slices_per_subject": slices_per_subject, "testing_share": settings.test_share}
            self.cohort |= {"stripped_share": 1.0 if recipe.preprocess.stripped else 0.25}
        if task != "skullstripper":  # whose heads are whole
            self.cohort["margin_mm"] = recipe.margin_mm
        if operated_share:
            self.cohort |= {"layout": "brats-post", "operated_share": operated_share}
        self.folder = Path(root) / f"{self.cohort['layout']}-{_short_hash(self.cohort)}"
        common = (str(self.folder), recipe, settings)
        self.inner: KaggleSlices | VolumeData
        if task == "classifier":
            self.inner = KaggleSlices(*common, split=split)
        elif split != "random":
            raise ConfigError(f"data.split={split} is for slices; model={task} takes data.split=random")
        elif task == "skullstripper":
            self.inner = NFBSVolumes(*common)
        elif task == "volume_classifier":
            self.inner = VolumesByType(*common)
            _check_classes(task, recipe.classes, types or TUMOR_TYPES, subjects)
        else:
            self.inner = BraTSVolumes(*common, labels="auto")

    def check_split(self) -> None:
        """Refuse a split that the cohort cannot fill, before it is written.

        Raises:
            ConfigError: The classifier would see no slice of one of its classes.
            DataError: The subjects are too few.
        """
        n = self.cohort["subjects"]
        types = self.cohort["types"] or TUMOR_TYPES
        if not isinstance(self.inner, KaggleSlices):
            self.inner.recorded = self.recorded
            ids = [str(number) for number in range(n)]
            if isinstance(self.inner, VolumesByType):
                kinds = training_types(types, n, self.cohort["seed"], 0.0)
                self.inner.types = {f"{kind}/{name}": kind for name, kind in kinds.items()}
                ids = list(self.inner.types)
            self.inner.split_of(ids)
            return
        _check_classes("classifier", self.inner.recipe.classes, types, n)
        if self.inner.split_name != "official":
            training = training_types(types, n, self.cohort["seed"], self.cohort["testing_share"])
            split_subjects(training, self.inner.settings.rule)

    def prepare_data(self) -> None:
        """Write the cohort if it is not there, and prepare its scans.

        Raises:
            ConfigError, DataError: As of `check_split`.
        """
        self.check_split()
        self.write()
        self.inner.prepare_data()

    def write(self) -> None:
        """Write the cohort, or what is missing of it.

        Raises:
            StorageError: There is no room for it, or its folder may not be written to.
        """
        sweep_cohorts(self.folder.parent)
        if is_whole(self.folder):
            return
        settings = {name: value for name, value in self.cohort.items() if name != "version"}
        try:
            with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
                keep_cohort(self.folder, progress=_advance(bar, self.cohort["subjects"]), **settings)
        except (ImageError, OSError) as error:
            raise not_kept(self.folder, error, "data.root") from error

    def setup(self, stage: str) -> None:
        self.inner.setup(stage)
        self.split = self.inner.split
        if isinstance(self.inner, KaggleSlices):
            self.parts = self.inner.parts
        self.facts = {**self.inner.facts, "phantom": self.cohort}

    def train_samples(self) -> Samples:
        """The training samples, each to be asked for by (epoch, index)."""
        self.inner.handover = self.handover
        return self.inner.train_samples()

    def train_dataloader(self) -> Loader:
        self.inner.beginning, self.inner.handover = self.beginning, self.handover
        return self.inner.train_dataloader()

    def val_dataloader(self) -> Loader:
        self.inner.handover = self.handover
        return self.inner.val_dataloader()

    def test_dataloader(self) -> Loader:
        self.inner.handover = self.handover
        return self.inner.test_dataloader()


def _check_operated(task: str, recipe: Any, share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigError(f"data.operated_share is {share}; it must be from 0 to 1")
    if share and task != "segmenter":
        raise ConfigError(f"data.operated_share is {share}, but model={task} learns no cavities; set it to 0")
    if task == "segmenter" and recipe.cavity and not share:
        raise ConfigError(
            "segmenter.cavity=true, but no phantom has a resection cavity; set data.operated_share, for "
            "instance to 0.5"
        )


def _check_classes(task: str, classes: Sequence[str], types: Sequence[str], subjects: int) -> None:
    everywhere = {"notumor"} if task == "classifier" else set()  # every head has slices without tumour
    missing = sorted(set(classes) - set(types) - everywhere)
    if missing:
        raise ConfigError(f"data.types is {list(types)}, but {task}.classes has {missing[0]} too; add it")
    if subjects < len(types):
        raise ConfigError(
            f"data.subjects is {subjects}, but the {task.replace('_', ' ')} needs a head of each of "
            f"{len(types)} types; set it to {len(types)} or more"
        )


def _short_hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def _advance(bar: Progress, total: int) -> Callable[[int, int], None]:
    task = bar.add_task("writing phantoms", total=total)
    return lambda done, _total: bar.update(task, completed=done)
