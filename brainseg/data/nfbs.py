"""NFBS: T1-weighted heads with brain masks, a folder for each subject."""

from collections.abc import Sequence
from pathlib import Path

from brainseg.config import ANY
from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.prediction import ChooseConfig
from brainseg.config.training import VolumeRecipe
from brainseg.data.settings import DataSettings
from brainseg.data.splits import Split, original_split
from brainseg.data.volumes import Case, VolumeData, truth_of
from brainseg.images.layouts import Subject
from brainseg.images.source import read
from brainseg.images.volume import Volume


class NFBSVolumes(VolumeData):
    """Heads and brain masks for the skull stripper; the truth is 1 in the brain.

    Args:
        split: random, or original: the 100 and 25 of NFBS that the network's authors took.
        root, recipe, settings, choose, patients: As for VolumeData.
    """

    where_from = DATA_SETS["nfbs"].where_from

    def __init__(
        self,
        root: str,
        recipe: VolumeRecipe,
        settings: DataSettings,
        split: str = "random",
        choose: ChooseConfig | None = None,
        patients: int | None = None,
    ) -> None:
        super().__init__(root, recipe, settings, choose, patients)
        if split not in ("random", "original"):
            raise ConfigError(f"data.split must be random or original, got {split}")
        if split == "original" and (settings.folds is not None or settings.test_share):
            raise ConfigError(
                "data.split=original has neither folds nor a test part; set data.folds=null data.test_share=0"
            )
        self.split_name = split

    def _drawn(self, ids: Sequence[str]) -> Split:
        return original_split(ids) if self.split_name == "original" else super()._drawn(ids)

    def cases(self) -> list[Case]:
        return [Case(subject, self._files(subject)) for subject in self.found_subjects()]

    def _files(self, subject: Subject) -> list[Path]:
        image = subject.images.get(self._sequence(subject))
        return [*(image.files if image else ()), *([subject.brain_mask] if subject.brain_mask else [])]

    def _sequence(self, subject: Subject) -> str:
        """The one to learn from; where any will do, the subject's first."""
        wanted = self.recipe.preprocess.modalities[0]
        return next(iter(subject.images)) if wanted == ANY else wanted

    def read(self, case: Case) -> tuple[Volume, Volume]:
        subject = case.subject
        sequence = self._sequence(subject)
        if sequence not in subject.images:
            raise ImageError(f"{subject.folder} has no {sequence} image; it has {sorted(subject.images)}")
        if subject.brain_mask is None:
            raise ImageError(
                f"{subject.folder} has no brain mask (*_brainmask.nii.gz); a stripper learns from one"
            )
        image = read(subject.images[sequence])
        mask = truth_of(subject.brain_mask, image)
        if not mask.data.any():
            raise ImageError(f"{subject.brain_mask} has no voxel in it; a brain mask cannot be empty")
        return image, Volume((mask.data > 0).astype("uint8"), mask.grid)
