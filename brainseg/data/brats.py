"""BraTS in any of its layouts: sequences without skull, and a label map."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.prediction import ChooseConfig
from brainseg.config.training import SegmenterConfig
from brainseg.data.settings import DataSettings
from brainseg.data.volumes import Case, VolumeData, truth_of
from brainseg.images.labels import (
    CAVITY,
    CONVENTIONS,
    RESECTION_CAVITY,
    Convention,
    detect,
    to_classes,
    without_cavity,
)
from brainseg.images.layouts import Subject, load_subject
from brainseg.images.nifti import read_labels
from brainseg.images.volume import Volume

log = logging.getLogger("brainseg")
FACT = "resection_cavities"  # how many subjects have one, and what is made of them
_LEARNT = f" with {CAVITY}"  # after the convention of a case, for a model that learns it


class BraTSVolumes(VolumeData):
    """Sequences and tumour labels for the segmenter; the truth holds the classes of `images.labels`.

    Args:
        labels: The label convention's name, or "auto": told from the layout and the values of all label maps.
        root, recipe, settings, choose, patients: As for VolumeData.
    """

    where_from = DATA_SETS["brats"].where_from

    def __init__(
        self,
        root: str,
        recipe: SegmenterConfig,
        settings: DataSettings,
        labels: str,
        choose: ChooseConfig | None = None,
        patients: int | None = None,
    ) -> None:
        super().__init__(root, recipe, settings, choose, patients)
        self.learns_cavity = recipe.cavity
        if labels != "auto" and labels not in CONVENTIONS:
            raise ConfigError(f"data.labels must be auto or one of {sorted(CONVENTIONS)}, got {labels}")
        self.labels = labels

    def cases(self) -> list[Case]:
        subjects = self.found_subjects()
        convention = self._convention(subjects)
        self.facts["label_convention"] = convention.name
        self._count_cavities(subjects, convention)
        labels = convention.name + (_LEARNT if self.learns_cavity else "")
        return [Case(subject, self._files(subject), labels) for subject in subjects]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.learns_cavity and not self.operated & set(self.split.train):
            log.warning(
                "none of the %d training subjects has a resection cavity, so that the segmenter will not "
                "learn it; change the split (seed, data.val_share, data.fold) or set segmenter.cavity=false",
                len(self.split.train),
            )

    def read(self, case: Case) -> tuple[Volume, Volume]:
        subject = case.subject
        image = load_subject(subject, list(self.recipe.preprocess.modalities))
        if subject.truth is None:
            raise ImageError(f"{subject.folder} has no label map (*seg.nii.gz); a segmenter learns from one")
        truth = truth_of(subject.truth, image)
        classes = to_classes(truth.data, CONVENTIONS[case.labels.removesuffix(_LEARNT)], subject.truth)
        return image, Volume(classes if self.learns_cavity else without_cavity(classes), truth.grid)

    def _files(self, subject: Subject) -> list[Path]:
        there = [subject.images[name] for name in self.recipe.preprocess.modalities if name in subject.images]
        wanted = [path for source in there for path in source.files]
        return [*wanted, *([subject.truth] if subject.truth else [])]

    def _convention(self, subjects: Sequence[Subject]) -> Convention:
        if self.labels != "auto":
            return CONVENTIONS[self.labels]
        layouts = {subject.layout for subject in subjects}
        values: set[float] = set()
        for subject in subjects:
            if subject.truth is not None:
                values |= self._values(subject.truth)
        return detect(values, layouts.pop() if len(layouts) == 1 else None, self.root)

    def _count_cavities(self, subjects: Sequence[Subject], convention: Convention) -> None:
        """Note which subjects have a resection cavity, and say once what becomes of it.

        Raises:
            ConfigError: The segmenter is to learn it, and nobody has one.
        """
        known = FACT in self.facts
        self.operated = self._with_cavity(subjects, convention) if convention.has_cavity else set()
        if self.learns_cavity and not self.operated:
            raise ConfigError(
                f"segmenter.cavity=true, but no label map below {self.root} has a resection cavity (label 4 "
                f"of brats-2024-post; these labels are {convention.name}); set segmenter.cavity=false"
            )
        if not self.operated:
            return
        learnt = (
            "learnt as a class of its own" if self.learns_cavity else "background: segmenter.cavity=false"
        )
        self.facts[FACT] = {"subjects": len(self.operated), "of": len(subjects), "are": learnt}
        if not known and not self.learns_cavity:
            log.info(
                "%s: %d of %d subjects have a resection cavity, which counts as background; set "
                "segmenter.cavity=true to learn it as a class of its own",
                self.root, len(self.operated), len(subjects),
            )  # fmt: skip

    def _with_cavity(self, subjects: Collection[Subject], convention: Convention) -> set[str]:
        values = {value for value, index in convention.classes.items() if index == RESECTION_CAVITY}
        return {one.id for one in subjects if one.truth is not None and values & self._values(one.truth)}

    def _values(self, truth: Path) -> set[float]:
        try:
            key = self.cache.key([truth], what="label values")
            arrays = self.cache.get(key, lambda: {"values": np.unique(read_labels(truth).data)})
        except ImageError:
            return set()  # `read` names the fault, with those of all the other cases
        return {value.item() for value in arrays["values"]}
