"""The LGG set of Kaggle (kaggle_3m): whole heads of low-grade gliomas as pictures, with the whole tumour."""

from pathlib import Path

import numpy as np

from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.training import SPACING_MM, SegmenterConfig
from brainseg.data.settings import DataSettings
from brainseg.data.volumes import Case, VolumeData
from brainseg.files.there import refuse_no_folder
from brainseg.images.found import Survey
from brainseg.images.labels import BACKGROUND, EDEMA
from brainseg.images.lgg import CHANNELS, COVERED_MM, IN_PLANE_MM, read_patient
from brainseg.images.lgg_patients import survey_patients
from brainseg.images.masks import with_margin
from brainseg.images.nifti import read_labels
from brainseg.images.size_limits import by
from brainseg.images.volume import Spacing, Volume


class LGGVolumes(VolumeData):
    """T1, FLAIR and T1ce with one region for the segmenter: all of the tumour has the class edema.

    Args:
        spacing_mm: Voxel size along X, Y and Z, which the files do not hold; None: .94 mm in the plane, and
            slices that cover 150 mm.
        brains: Results of predict.py for these patients, `PATIENT/PATIENT_brain_mask.nii.gz`: what is outside
            of a mask, and further from it than the recipe's margin, becomes 0. None: the heads stay whole.
        root, recipe, settings, patients: As for VolumeData.
    """

    regions = ("whole_tumor",)
    where_from = DATA_SETS["lgg"].where_from

    def __init__(
        self,
        root: str,
        recipe: SegmenterConfig,
        settings: DataSettings,
        spacing_mm: list[float] | None = None,
        brains: str | None = None,
        patients: int | None = None,
    ) -> None:
        super().__init__(root, recipe, settings, patients=patients)
        self.brains, self.margin_mm = None if brains is None else Path(brains), recipe.margin_mm
        if recipe.cavity:
            raise ConfigError(
                "segmenter.cavity=true, but data=lgg has masks of the whole tumour alone; set "
                "segmenter.cavity=false"
            )
        self.spacing_mm = _checked(spacing_mm)
        self.facts["regions"] = list(self.regions)
        self.facts["spacing_mm"] = (
            list(self.spacing_mm)
            if self.spacing_mm
            else (f"assumed: {IN_PLANE_MM} mm in the plane, slices that cover {COVERED_MM:g} mm")
        )
        if unknown := [name for name in recipe.preprocess.modalities if name not in CHANNELS]:
            raise ConfigError(
                f"data=lgg has no {unknown[0]}; set segmenter.preprocess.modalities=[t1,t1ce,flair], or "
                "[flair], which every patient has"
            )

    def survey(self) -> Survey:
        refuse_no_folder(self.root, self.where_from)
        if self.brains is not None:
            refuse_no_folder(self.brains, f"data.brains is what {self._strip_by} writes")
        return survey_patients(self.root)

    def cases(self) -> list[Case]:
        labels = f"spacing {self.spacing_mm}"  # another spacing is another case in the cache
        labels += "" if self.brains is None else f", brain and {self.margin_mm} mm"
        return [Case(subject, self._files(subject.folder), labels) for subject in self.found_subjects()]

    def read(self, case: Case) -> tuple[Volume, Volume]:
        modalities = list(self.recipe.preprocess.modalities)
        image, tumor = read_patient(case.subject.folder, modalities, self.spacing_mm)
        truth = np.where(tumor, EDEMA, BACKGROUND).astype(np.uint8)
        if self.brains is not None:
            image = self._stripped(image, case.id)
        return image, Volume(truth[None], image.grid)

    def _stripped(self, image: Volume, patient: str) -> Volume:
        path = self._mask(patient)
        if not path.is_file():
            raise ImageError(f"{path} is missing: {patient} has no brain mask; strip it by {self._strip_by}")
        brain = read_labels(path).data[0] > 0
        if brain.shape != image.grid.shape or not brain.any():
            raise ImageError(
                f"{path} has {by(brain.shape)} voxels, {np.count_nonzero(brain)} of them brain, and the "
                f"pictures have {by(image.grid.shape)}; strip {patient} anew by {self._strip_by}"
            )
        near = with_margin(brain, self.margin_mm, image.grid.spacing_mm)
        return Volume(image.data * near, image.grid)

    @property
    def _strip_by(self) -> str:
        return f"python predict.py input={self.root} output={self.brains}"

    def _mask(self, patient: str) -> Path:
        assert self.brains is not None
        return self.brains / patient / f"{patient}_brain_mask.nii.gz"

    def _files(self, folder: Path) -> list[Path]:
        slices = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".tif", ".tiff"))
        mask = None if self.brains is None else self._mask(folder.name)
        return [*slices, *([mask] if mask is not None and mask.is_file() else [])]


def _checked(spacing_mm: list[float] | None) -> Spacing | None:
    if spacing_mm is None:
        return None
    low, high = SPACING_MM
    if len(spacing_mm) != 3 or not all(low <= side <= high for side in spacing_mm):
        raise ConfigError(
            f"data.spacing_mm takes three numbers from {low} to {high}, or null; got {list(spacing_mm)}"
        )
    x, y, z = map(float, spacing_mm)
    return x, y, z
