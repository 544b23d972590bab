"""NFBS: T1-weighted heads with brain masks, a folder for each subject."""

from brainseg.config import ANY
from brainseg.config.errors import DataError, GeometryError, ImageError
from brainseg.data.volumes import Case, VolumeData
from brainseg.images.layouts import Subject, find_subjects
from brainseg.images.nifti import read, read_labels
from brainseg.images.volume import Volume

WHERE_FROM = (
    "NFBS is at preprocessed-connectomes-project.org/NFB_skullstripped; set data.root to its folder, "
    "or train on synthetic heads with data=phantom"
)


class NFBSVolumes(VolumeData):
    """Heads and brain masks for the skull stripper; the truth is 1 in the brain."""

    def cases(self) -> list[Case]:
        self.subjects = {subject.id: subject for subject in self._subjects()}
        return [Case(name, self._files(subject)) for name, subject in self.subjects.items()]

    def _subjects(self) -> list[Subject]:
        if not self.root.exists():
            raise DataError(f"{self.root}: no such folder; {WHERE_FROM}")
        return find_subjects(self.root)

    def _files(self, subject: Subject) -> list:
        image = subject.images.get(self._sequence(subject))
        return [path for path in (image and image.path, subject.brain_mask) if path]

    def _sequence(self, subject: Subject) -> str:
        """The one to learn from; where any will do, the subject's first."""
        wanted = self.recipe.preprocess.modalities[0]
        return next(iter(subject.images)) if wanted == ANY else wanted

    def read(self, case: Case) -> tuple[Volume, Volume]:
        subject = self.subjects[case.id]
        sequence = self._sequence(subject)
        if sequence not in subject.images:
            raise ImageError(f"{subject.folder} has no {sequence} image; it has {sorted(subject.images)}")
        if subject.brain_mask is None:
            raise ImageError(
                f"{subject.folder} has no brain mask (*_brainmask.nii.gz); a stripper learns from one"
            )
        source = subject.images[sequence]
        image, mask = read(source.path, source.channel), read_labels(subject.brain_mask)
        if difference := image.grid.difference(mask.grid):
            raise GeometryError(
                f"{subject.brain_mask} does not lie on the grid of {source.path}: {difference}"
            )
        if not mask.data.any():
            raise ImageError(f"{subject.brain_mask} has no voxel in it; a brain mask cannot be empty")
        return image, Volume((mask.data > 0).astype("uint8"), mask.grid)
