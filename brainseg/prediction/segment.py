"""The stage that outlines the tumour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config import PredictConfig
from brainseg.config.choices import Flips, Stage
from brainseg.config.errors import ConfigError
from brainseg.config.gates import GatesConfig
from brainseg.gates.judge import judge_tumor
from brainseg.gates.tumor import TumorShape, shape_of_tumor
from brainseg.images.labels import (
    CONVENTIONS,
    TUMOR_REGIONS,
    Convention,
    classes_with,
    from_classes,
    regions_with,
)
from brainseg.images.layouts import Subject
from brainseg.images.nifti import write
from brainseg.images.volume import Volume, ras_grid, to_ras
from brainseg.inference import Windows, diameters, on_host
from brainseg.inference.diameters import Diameters
from brainseg.prediction.brain import Mask
from brainseg.prediction.members import load_ensemble, missing_members
from brainseg.prediction.models import hardly_finds, measured_without, model_file
from brainseg.prediction.network_time import Sizes, Work, work_on_volume
from brainseg.prediction.scans import Scans
from brainseg.prediction.shown import shown_of, usable_sequences
from brainseg.prediction.stage import PipelineStage
from brainseg.prediction.state import State
from brainseg.results.parts import LabelMeanings, SegmentationFacts
from brainseg.results.result import Result
from brainseg.runs.model_record import Member
from brainseg.runs.models import checkpoints_of
from brainseg.trained import Ensemble, Model
from brainseg.trained.computing import as_it_predicts
from brainseg.trained.segmenter import MIRRORED

DEFAULT_CONVENTION = "brats-2023"  # of label maps, where neither the options nor the segmenter say one
WITH_CAVITY = "brats-2024-post"  # the same of a segmenter that tells the resection cavity
WHOLE = list(TUMOR_REGIONS).index("whole_tumor")


@dataclass(frozen=True)
class Segmentation:
    """The tumour on the reference grid.

    Args:
        classes: (X, Y, Z), cleaned.
        regions: Calibrated probability of each region, (R, X, Y, Z), before cleaning.
        sequences: What it was found in.
        about: How it was found, for result.json.
        convention: The values of the label map that is written.
        shape: Measures of the outline, once it is judged.
        cavity: Whether the model tells the resection cavity, as one more class and region.
    """

    classes: NDArray[np.uint8]
    regions: NDArray[np.float32]
    sequences: tuple[str, ...]
    about: SegmentationFacts | None = None
    convention: Convention = CONVENTIONS[DEFAULT_CONVENTION]
    shape: TumorShape | None = None
    cavity: bool = False

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Each region, (X, Y, Z)."""
        regions = regions_with(cavity=self.cavity)
        return {region: np.isin(self.classes, members) for region, members in regions.items()}

    def write(self, folder: Path, name: str, scans: Scans, *, probabilities: bool) -> None:
        labels = from_classes(self.classes, self.convention)
        write(folder / f"{name}_tumor_labels.nii.gz", labels, scans.grid)
        if probabilities:
            write(folder / f"{name}_tumor_probabilities.nii.gz", self.regions, scans.grid)

    def added_to(self, result: Result, scans: Scans) -> Result:
        names = classes_with(cavity=self.cavity)
        told = {value: index for value, index in self.convention.classes.items() if index < len(names)}
        values = {str(value): names[index] for value, index in told.items()}
        return replace(
            result,
            volumes_ml={**result.volumes_ml, **self._volumes_ml(scans.grid.voxel_ml)},
            diameters_mm=self._diameters_mm(scans),
            label_convention=LabelMeanings(self.convention.name, values),
            segmentation=self.about,
        )

    def _volumes_ml(self, voxel_ml: float) -> dict[str, float]:
        parts, names = self.masks, classes_with(cavity=self.cavity)
        parts |= {
            name: self.classes == index for index, name in enumerate(names) if index and name not in parts
        }
        return {name: round(float(part.sum()) * voxel_ml, 3) for name, part in parts.items()}

    def _diameters_mm(self, scans: Scans) -> dict[str, Diameters | None]:
        """The diameters of each region's largest piece; None for a region that is not there."""
        classes = to_ras(Volume(self.classes[None], scans.grid))
        return {
            region: diameters(np.isin(classes.data[0], members), classes.grid.spacing_mm)
            for region, members in regions_with(cavity=self.cavity).items()
        }


@dataclass(frozen=True)
class SegmentStage(PipelineStage):
    """The tumour within the brain, by one segmenter or by several that answer together."""

    model: Ensemble | None
    windows: Windows
    flips: Flips
    convention: Convention
    members: Sequence[Member] = ()
    remarks: Sequence[str] = ()

    name = Stage.segment
    model_name = "segmenter"
    makes = "outline of the tumour"

    @classmethod
    def load(cls, options: PredictConfig, device: torch.device) -> Self:
        given, windows, flips = options.segmenter, Windows.of(options.window, device), options.window.flips
        if not given:
            return cls(None, windows, flips, convention_of(options.labels, None))
        model, files = load_ensemble(given, device), checkpoints_of(given)
        modules = dict(zip(files, model.members, strict=True))
        return cls(
            model,
            windows,
            flips,
            convention_of(options.labels, model),
            [model_file(path, module) for path, module in modules.items()],
            missing_members(given, modules),
        )

    @property
    def networks(self) -> Sequence[Model]:
        return [] if self.model is None else self.model.members

    def needs(self, subject: Subject) -> list[str]:
        assert self.model is not None
        return usable_sequences(self.model, subject.images, subject.id)

    @property
    def needs_brain(self) -> bool:
        return True

    def run(self, state: State) -> State:
        model = self.model
        assert model is not None
        if state.brain is None:
            state = state.with_warnings(
                "segmented without a brain mask, which the segmenter was not trained for"
            )
        tumor = segment(state.scans, state.brain, model, self.windows, self.flips)
        state = state.with_outcome(replace(tumor, convention=self.convention))
        if untold := untold_regions(model.facts):
            state = state.with_warnings(
                f"the segmenter has not learnt {' and '.join(untold).replace('_', ' ')}: that its outline "
                "has none means nothing"
            )
        used, every = list(tumor.sequences), list(model.config.preprocess.modalities)
        return state if used == every else state.with_warnings(_subset_in_words(model, used, every))

    def judge(self, state: State, limits: GatesConfig) -> State:
        tumor = state.outcome(Segmentation)
        if tumor is None:
            return state
        shape = _shape(tumor, state.brain, state.scans)
        return state.with_outcome(replace(tumor, shape=shape)).with_gates(judge_tumor(shape, limits))

    def work(self, sizes: Sizes, limits: GatesConfig | None) -> list[Work]:
        times = len(MIRRORED[self.flips])
        return [work_on_volume(one, sizes.brain_mm, self.windows, times=times) for one in self.networks]


def untold_regions(facts: Mapping[str, Any]) -> list[str]:
    """The regions that the truths of a model's training did not have, though it can tell them.

    Args:
        facts: Of that training.
    """
    told = facts.get("regions")
    return [region for region in TUMOR_REGIONS if isinstance(told, list) and region not in told]


def segment(
    scans: Scans, brain: Mask | None, model: Ensemble, windows: Windows, flips: Flips = Flips.none
) -> Segmentation:
    """The tumour inside the brain and its margin, from the sequences that the model was trained with.

    Raises:
        ImageError: The sequences that there are make up no subset that it was trained for.
    """
    every = list(model.config.preprocess.modalities)
    there = usable_sequences(model, scans.images, "the scan")
    shown = shown_of(scans, brain, model, there)
    brain, prepared = shown.brain, shown.prepared
    with torch.inference_mode(), as_it_predicts(model.members[0]):
        found = model.probabilities(
            torch.from_numpy(shown.image).to(model.device),
            None if there == every else there,
            flips,
            windows=windows.at(prepared.origin),
        )
    # Decided where the network looked, which is often less than half of the scan; all else is background.
    probabilities = torch.from_numpy(prepared.at_source(on_host(found).numpy(), nearest=False))
    inside = 1 if brain is None else prepared.cut(brain)
    classes = prepared.paste((model.decided(probabilities).numpy() * inside)[None].astype(np.uint8))[0]
    regions = prepared.paste(model.regions(probabilities).numpy() * inside)
    classes = model.cleaning(classes, scans.grid.voxel_ml)
    about = SegmentationFacts(
        there, len(model.members), str(flips), model.cleaning, model.temperatures, model.cavity or None
    )
    return Segmentation(classes, regions, tuple(there), about, cavity=model.cavity)


def convention_of(asked: str | None, model: Ensemble | None) -> Convention:
    """How the labels are written: as asked for, else as the segmenter's data had them."""
    learnt = None if model is None else model.facts.get("label_convention")
    cavity = model is not None and model.cavity
    name = learnt if asked is None else asked
    name = name or (WITH_CAVITY if cavity else DEFAULT_CONVENTION)
    if name not in CONVENTIONS:
        raise ConfigError(f"labels must be one of {', '.join(CONVENTIONS)}, got {name}")
    if cavity and not CONVENTIONS[name].has_cavity:
        raise ConfigError(
            f"labels={name} has no value for the resection cavity, which the segmenter outlines; take "
            f"labels={WITH_CAVITY}, or leave it out"
        )
    return CONVENTIONS[name]


def _subset_in_words(model: Ensemble, used: list[str], every: list[str]) -> str:
    cost = model.cost(used)
    heads = "synthetic validation heads" if "phantom" in model.facts else "validation scans"
    costs = [] if cost is None else [f"{cost:.3f} on {heads}"]
    costs += measured_without(model, used)
    said = f", which cost {' and '.join(costs)} of the whole tumour's Dice" if costs else ""
    if hardly_finds(model, used):
        said += "; it finds hardly any tumour so, and that none is outlined does not say that there is none"
    return f"segmented from {' and '.join(used)} instead of {', '.join(every)}{said}"


def _shape(tumor: Segmentation, brain: Mask | None, scans: Scans) -> TumorShape:
    def upright(array_XYZ: NDArray[Any]) -> NDArray[Any]:
        array: NDArray[Any] = to_ras(Volume(array_XYZ[None], scans.grid)).data[0]
        return array

    return shape_of_tumor(
        upright(tumor.classes),
        upright(tumor.regions[WHOLE]),
        None if brain is None else upright(brain),
        ras_grid(scans.grid),
    )
