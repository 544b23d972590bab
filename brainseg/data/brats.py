"""BraTS in any of its layouts: sequences without skull, and a label map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.training import VolumeRecipe
from brainseg.data.settings import DataSettings
from brainseg.data.volumes import Case, VolumeData, truth_of
from brainseg.images.labels import CONVENTIONS, Convention, detect, to_classes
from brainseg.images.layouts import Subject, load_subject
from brainseg.images.nifti import read_labels
from brainseg.images.volume import Volume


class BraTSVolumes(VolumeData):
    """Sequences and tumour labels for the segmenter; the truth holds the classes of `images.labels`.

    Args:
        labels: The label convention's name, or "auto": told from the layout and the values of all label maps.
        root, recipe, settings: As for VolumeData.
    """

    where_from = DATA_SETS["brats"].where_from

    def __init__(self, root: str, recipe: VolumeRecipe, settings: DataSettings, labels: str) -> None:
        super().__init__(root, recipe, settings)
        if labels != "auto" and labels not in CONVENTIONS:
            raise ConfigError(f"data.labels must be auto or one of {sorted(CONVENTIONS)}, got {labels}")
        self.labels = labels

    def cases(self) -> list[Case]:
        subjects = self.found_subjects()
        convention = self._convention(subjects).name
        self.facts["label_convention"] = convention
        return [Case(subject, self._files(subject), convention) for subject in subjects]

    def read(self, case: Case) -> tuple[Volume, Volume]:
        subject = case.subject
        image = load_subject(subject, list(self.recipe.preprocess.modalities))
        if subject.truth is None:
            raise ImageError(f"{subject.folder} has no label map (*seg.nii.gz); a segmenter learns from one")
        truth = truth_of(subject.truth, image)
        return image, Volume(to_classes(truth.data, CONVENTIONS[case.labels], subject.truth), truth.grid)

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

    def _values(self, truth: Path) -> set[float]:
        try:
            key = self.cache.key([truth], what="label values")
            arrays = self.cache.get(key, lambda: {"values": np.unique(read_labels(truth).data)})
        except ImageError:
            return set()  # `read` names the fault, with those of all the other cases
        return {value.item() for value in arrays["values"]}
