"""The stage that names the tumour type from the whole brain at once, and shows where it looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config import PredictConfig
from brainseg.config.choices import ANY, Stage
from brainseg.config.errors import ImageError
from brainseg.config.gates import GatesConfig
from brainseg.config.prediction import VoteConfig
from brainseg.gates.contradictions import VOLUME, types_agree
from brainseg.gates.judge import judge_type
from brainseg.images.layouts import Subject
from brainseg.inference import grad_cam, shared_probability, verdict_of
from brainseg.prediction.brain import Mask
from brainseg.prediction.classify import GRAD_CAM_PASSES, VOTE_ORDER, TumorType
from brainseg.prediction.models import model_file
from brainseg.prediction.network_time import Sizes, Work
from brainseg.prediction.scans import Scans
from brainseg.prediction.shown import shown_of, usable_sequences
from brainseg.prediction.stage import PipelineStage, required
from brainseg.prediction.state import State
from brainseg.preprocess.cubes import corner_of, out_of_cube
from brainseg.results.parts import VolumeTypeResult
from brainseg.results.result import Result
from brainseg.results.type_words import VolumeWords
from brainseg.runs.model_record import Member
from brainseg.trained import VolumeClassifierModel
from brainseg.trained.computing import as_it_predicts

MAPS = "net.features"  # the submodule whose feature maps the Grad-CAM weights


@dataclass(frozen=True)
class VolumeType(VolumeWords):
    """The tumour type of a whole brain.

    Args:
        verdict: The type, by the rule of the vote.
        healthy_at: Probability of notumor from which it is the verdict.
        probabilities: Of each class, calibrated.
        sequences: What it was found in.
        heat: Grad-CAM of the verdict (X, Y, Z) on the reference grid, 0 to 1, and 0 outside the brain.
        brain: The mask (X, Y, Z) that was looked into.
        tumor: Where the segmenter outlined a tumour; None before it has.
        vote: What the slices say, where they were asked too.
    """

    verdict: str
    healthy_at: float
    probabilities: dict[str, float]
    sequences: list[str]
    heat: NDArray[np.float32]
    brain: Mask
    tumor: Mask | None = None
    vote: TumorType | None = None

    @property
    def heat_times(self) -> float | None:
        """How many times as strong the heat is in the tumour as in the brain; None without one of them."""
        mean = float(self.heat[self.brain].mean())
        if self.tumor is None or not self.tumor.any() or mean <= 0:
            return None
        return float(self.heat[self.tumor].mean()) / mean

    @property
    def shared(self) -> float | None:
        """Probability in common with the vote of the slices."""
        return None if self.vote is None else shared_probability(self.vote.probabilities, self.probabilities)

    @property
    def agrees(self) -> bool | None:
        """Whether the slices speak for the same type."""
        return None if self.vote is None else types_agree(self.vote.probabilities, self.probabilities)

    def write(self, folder: Path, name: str, scans: Scans, *, probabilities: bool) -> None:
        """Nothing: a type has no image of its own."""

    def added_to(self, result: Result, scans: Scans) -> Result:
        times, shared = self.heat_times, self.shared
        found = VolumeTypeResult(
            verdict=self.verdict,
            probabilities=self.probabilities,
            undecided=self.is_undecided,
            healthy_at=self.healthy_at,
            sequences=self.sequences,
            heat_times=None if times is None else round(times, 3),
            shared=None if shared is None else round(shared, 3),
            agrees=self.agrees,
        )
        return replace(result, tumor_type_3d=found)


@dataclass(frozen=True)
class ClassifyVolumeStage(PipelineStage):
    """The tumour type from the whole brain without its skull."""

    model: VolumeClassifierModel | None
    vote: VoteConfig
    members: Sequence[Member] = ()

    name = Stage.classify_volume
    model_name = "volume_classifier"
    makes = "tumour type in 3-D"

    @classmethod
    def load(cls, options: PredictConfig, device: torch.device) -> Self:
        given = options.volume_classifier
        if not given:
            return cls(None, options.vote)
        module: Any = load_model(given, device, task=cls.model_name)
        return cls(module, options.vote, [model_file(given, module)])

    def needs(self, subject: Subject) -> list[str]:
        assert self.model is not None
        if self._takes_any:
            return required(self.vote.sequence, subject, "which vote.sequence wants")
        return usable_sequences(self.model, subject.images, subject.id, self.model_name)

    @property
    def needs_brain(self) -> bool:
        return True

    @property
    def not_without_brain(self) -> str | None:
        return (
            "the volume classifier was trained on brains without skull, and no brain mask is known when it "
            "is asked: give skullstripper=CHECKPOINT and put strip before classify_volume in pipeline.stages"
        )

    @property
    def _takes_any(self) -> bool:
        assert self.model is not None
        return list(self.model.config.preprocess.modalities) == [ANY]

    def run(self, state: State) -> State:
        model = self.model
        assert model is not None
        if state.brain is None:
            raise ImageError(str(self.not_without_brain))
        there = self._sequences(state.scans)
        found = classify_volume(state.scans, state.brain, model, there, self.vote.healthy_at)
        return state.with_outcome(found)

    def _sequences(self, scans: Scans) -> list[str]:
        assert self.model is not None
        if self._takes_any:
            return [self.vote.sequence or next(name for name in VOTE_ORDER if name in scans.images)]
        return usable_sequences(self.model, scans.images, "the scan", self.model_name)

    def judge(self, state: State, limits: GatesConfig) -> State:
        found = state.outcome(VolumeType)
        if found is None:
            return state
        return state.with_gates(judge_type(found.verdict, found.probabilities, None, limits, VOLUME))

    def work(self, sizes: Sizes, limits: GatesConfig | None) -> list[Work]:
        if self.model is None:
            return []
        config = self.model.config
        shape = (len(config.preprocess.modalities), *(config.side,) * 3)
        return [Work(self.model, shape, 1 + GRAD_CAM_PASSES)]


def classify_volume(
    scans: Scans, brain: Mask, model: VolumeClassifierModel, there: Sequence[str], healthy_at: float
) -> VolumeType:
    """The tumour type of the brain inside a mask (X, Y, Z) on the reference grid.

    Args:
        scans: The sequences.
        brain: The mask.
        model: The trained model.
        there: The sequences that it is shown.
        healthy_at: Probability of notumor from which it is the verdict.
    """
    shown = shown_of(scans, brain, model, there)
    image, classes = torch.from_numpy(shown.image), list(model.config.classes)
    with torch.inference_mode(), as_it_predicts(model):
        found = model.probabilities(image, there)
    probabilities = dict(zip(classes, found.tolist(), strict=True))
    verdict = verdict_of(probabilities, healthy_at)
    heat = shown.prepared.undo(_heat(model, image, there, classes.index(verdict))[None], nearest=False)[0]
    return VolumeType(
        verdict=verdict,
        healthy_at=healthy_at,
        probabilities={name: round(p, 5) for name, p in probabilities.items()},
        sequences=list(there),
        heat=_within(brain, heat),
        brain=brain,
    )


def _within(brain: Mask, heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heat (X, Y, Z) of the brain alone, 1 where it is strongest: coarse maps are hot beside it too."""
    inside = np.where(brain, heat, np.float32(0))
    return inside / max(float(inside.max()), np.finfo(np.float32).tiny)


def _heat(
    model: VolumeClassifierModel, image: torch.Tensor, there: Sequence[str], class_index: int
) -> NDArray[np.float32]:
    """Grad-CAM (X, Y, Z) of a class in a prepared scan (C, X, Y, Z).

    By place: the mean slopes of the classic Grad-CAM missed half of the tumours
    (docs/experiments/volume-heat.md).
    """
    cube = grad_cam(model, MAPS, model.seen(image, there), class_index, by_place=True)
    return out_of_cube(cube, corner_of(image, model.config.side), image.shape[1:])
