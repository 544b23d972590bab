"""The LGG set of Kaggle (kaggle_3m): whole heads of low-grade gliomas as pictures, with the whole tumour."""

from pathlib import Path

import numpy as np

from brainseg.config.data_sets import DATA_SETS
from brainseg.config.errors import ConfigError
from brainseg.config.training import SPACING_MM, SegmenterConfig
from brainseg.data.settings import DataSettings
from brainseg.data.volumes import Case, VolumeData
from brainseg.files.there import refuse_no_folder
from brainseg.images.found import Survey
from brainseg.images.labels import BACKGROUND, EDEMA
from brainseg.images.lgg import CHANNELS, COVERED_MM, IN_PLANE_MM, read_patient
from brainseg.images.lgg_patients import survey_patients
from brainseg.images.volume import Spacing, Volume


class LGGVolumes(VolumeData):
    """T1, FLAIR and T1ce with one region for the segmenter: all of the tumour has the class edema.

    Args:
        spacing_mm: Voxel size along X, Y and Z, which the files do not hold; None: .94 mm in the plane, and
            slices that cover 150 mm.
        root, recipe, settings: As for VolumeData.
    """

    regions = ("whole_tumor",)
    where_from = DATA_SETS["lgg"].where_from

    def __init__(
        self,
        root: str,
        recipe: SegmenterConfig,
        settings: DataSettings,
        spacing_mm: list[float] | None = None,
    ) -> None:
        super().__init__(root, recipe, settings)
        if recipe.cavity:
            raise ConfigError(
                "segmenter.cavity=true, but data=lgg has masks of the whole tumour alone; set "
                "segmenter.cavity=false"
            )
        self.spacing_mm = _checked(spacing_mm)
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
        return survey_patients(self.root)

    def cases(self) -> list[Case]:
        labels = f"spacing {self.spacing_mm}"  # another spacing is another case in the cache
        return [Case(subject, self._files(subject.folder), labels) for subject in self.found_subjects()]

    def read(self, case: Case) -> tuple[Volume, Volume]:
        modalities = list(self.recipe.preprocess.modalities)
        image, tumor = read_patient(case.subject.folder, modalities, self.spacing_mm)
        truth = np.where(tumor, EDEMA, BACKGROUND).astype(np.uint8)
        return image, Volume(truth[None], image.grid)

    def _files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".tif", ".tiff"))


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
