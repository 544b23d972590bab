"""The stage that names the tumour type: 27 slices vote, and the loudest shows where it looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config import PredictConfig
from brainseg.config.builtin import FOR_PICTURES
from brainseg.config.choices import BUILTIN, Stage
from brainseg.config.errors import ImageError
from brainseg.config.gates import GatesConfig
from brainseg.config.prediction import VoteConfig
from brainseg.evaluation.figures import OF_VOLUMES
from brainseg.gates.judge import judge_type
from brainseg.images import planes
from brainseg.images.jpeg import grey_uint8
from brainseg.images.labels import is_tumor
from brainseg.images.layouts import Subject
from brainseg.images.masks import with_margin
from brainseg.images.regrid import slice_of, with_cubes
from brainseg.images.tissue import tissue_of
from brainseg.images.volume import Grid, Volume, resample_to, to_ras
from brainseg.inference import (
    Verdict,
    VoteSlice,
    combine_votes,
    grad_cam,
    share_inside,
    vote_slices,
)
from brainseg.prediction.models import measured_of_builtin, model_file
from brainseg.prediction.network_time import Sizes, Work
from brainseg.prediction.scans import Scans
from brainseg.prediction.stage import PipelineStage, required
from brainseg.prediction.state import State
from brainseg.preprocess.noise import noise_share, smoothed
from brainseg.preprocess.slices import Box, framed, network_input, prepare_slice, slice_box
from brainseg.results.parts import LoudestSlice, SliceVote, TypeResult
from brainseg.results.result import Result
from brainseg.results.type_words import VoteWords
from brainseg.runs.model_record import Member
from brainseg.trained import ClassifierModel

VOTE_ORDER = ("t1ce", "flair", "t2", "t1")

NO_BRAIN = (
    "the classifier was trained on scans without skull, and no brain mask is known when it is asked: give "
    "skullstripper=CHECKPOINT and put strip before classify in pipeline.stages"
)
GRAD_CAM_PASSES = 3  # that the heat of one slice takes as long as: forwards and backwards


@dataclass(frozen=True)
class Loudest:
    """The slice with the highest probability of the verdict, as the classifier saw it."""

    number: int  # in the list of slices
    box: Box  # of the cut slice that it was shown
    image: NDArray[np.uint8]  # (S, S)
    heat: NDArray[np.float32] | None  # (S, S) Grad-CAM of the verdict; None where the backbone has none
    brain: NDArray[np.bool_] | None = None  # (S, S), where a brain mask is known
    tumor: NDArray[np.uint8] | None = None  # (S, S) classes of the segmentation, where there is one

    @property
    def heat_in_tumor(self) -> float | None:
        """Share of the heat inside the segmented tumour; None where the slice does not meet it."""
        if self.heat is None or self.tumor is None or not is_tumor(self.tumor).any():
            return None
        return share_inside(self.heat, is_tumor(self.tumor))

    @property
    def heat_in_brain(self) -> float | None:
        """The same inside the brain."""
        if self.heat is None or self.brain is None or not self.heat.any():
            return None
        return share_inside(self.heat, self.brain)


@dataclass(frozen=True)
class TumorType(VoteWords):
    """The vote of a volume's slices."""

    verdict: str
    healthy_at: float  # mean of notumor from which it is the verdict
    sequence: str
    probabilities: dict[str, float]  # mean over the slices
    slices: list[SliceVote]
    planes: dict[str, Verdict]  # what the slices of each plane say alone
    noise: float  # standard deviation as a share of the median intensity
    filtered: bool  # so noisy that it was smoothed first
    cube: Grid  # that the slices were cut from
    loudest: Loudest

    @property
    def agreement(self) -> float:
        """Share of the planes that alone say the same as all together."""
        return sum(plane.verdict == self.verdict for plane in self.planes.values()) / len(self.planes)

    def write(self, folder: Path, name: str, scans: Scans, *, probabilities: bool) -> None:
        """Nothing: a vote has no image of its own."""

    def added_to(self, result: Result, scans: Scans) -> Result:
        share = self.loudest.heat_in_tumor
        slice_vote = self.slices[self.loudest.number]
        loudest = LoudestSlice(
            slice_vote.plane,
            slice_vote.offset_mm,
            slice_vote.voxel,
            slice_vote.probabilities,
            heat_in_tumor=None if share is None else round(share, 3),
        )
        found = TypeResult(
            verdict=self.verdict,
            probabilities=self.probabilities,
            undecided=self.is_undecided,
            healthy_at=self.healthy_at,
            sequence=self.sequence,
            agreement=round(self.agreement, 3),
            planes={plane: vote.verdict for plane, vote in self.planes.items()},
            loudest=loudest,
            noise=round(self.noise, 4),
            filtered=self.filtered,
            slices=self.slices,
        )
        return replace(result, tumor_type=found)


@dataclass(frozen=True)
class ClassifyStage(PipelineStage):
    """The tumour type, by a vote of slices in three planes."""

    model: ClassifierModel | None
    vote: VoteConfig
    members: Sequence[Member] = ()
    is_for_pictures: bool = False  # what was asked for is the one that comes with brainseg

    name = Stage.classify
    model_name = "classifier"
    makes = "tumour type"

    @classmethod
    def load(cls, options: PredictConfig, device: torch.device) -> Self:
        given = options.classifier
        if not given or given == BUILTIN:
            return cls(None, options.vote, is_for_pictures=bool(given))
        module: Any = load_model(given, device, task=cls.model_name)
        return cls(module, options.vote, [model_file(given, module)])

    @property
    def why_not_given(self) -> str:
        if not self.is_for_pictures:
            return super().why_not_given
        figures = [one for one in measured_of_builtin(FOR_PICTURES) if one.score == OF_VOLUMES]
        right = " and ".join(f"{one.value:.0%} of {one.scans} {one.data}" for one in figures)
        return (
            "the classifier that comes with brainseg is for pictures of slices, and names "
            f"only {right} rightly, so no type is given; give classifier=CHECKPOINT, or classifier=null"
        )

    def needs(self, subject: Subject) -> list[str]:
        return required(self.vote.sequence, subject, "which vote.sequence wants")

    @property
    def needs_brain(self) -> bool:
        return self.model is not None and self.model.config.preprocess.stripped

    @property
    def not_without_brain(self) -> str | None:
        return NO_BRAIN if self.needs_brain else None

    def run(self, state: State) -> State:
        assert self.model is not None
        if state.came_stripped and not self.model.config.preprocess.stripped:
            state = state.with_warnings(
                "the scan has no skull, while the classifier learnt from slices with skull"
            )
        return state.with_outcome(classify(state.scans, state.brain, self.model, self.vote))

    def judge(self, state: State, limits: GatesConfig) -> State:
        found = state.outcome(TumorType)
        if found is None:
            return state
        return state.with_gates(judge_type(found.verdict, found.probabilities, found.agreement, limits))

    def work(self, sizes: Sizes, limits: GatesConfig | None) -> list[Work]:
        if self.model is None:
            return []
        side = self.model.config.preprocess.size
        offsets_mm = {sign * offset for offset in self.vote.offsets_mm for sign in (-1, 1)}
        return [Work(self.model, (3, side, side), 3 * len(offsets_mm) + GRAD_CAM_PASSES)]  # three planes


def classify(
    scans: Scans, brain: NDArray[np.bool_] | None, model: ClassifierModel, vote: VoteConfig
) -> TumorType:
    """The tumour type that slices of one sequence, in three planes, agree on.

    The slices are cut through the middle of the brain, or of the scan where no brain is known; from the brain
    alone if the classifier was trained on scans without skull, else from the scan as it came.

    Raises:
        ImageError: The classifier needs a brain, and none is known.
    """
    sequence = vote.sequence or next(name for name in VOTE_ORDER if name in scans.images)
    noise = _noise_of(scans.images[sequence])
    filtered = vote.denoise_from is not None and noise >= vote.denoise_from
    scan = scans.on_reference(sequence)
    if filtered:
        scan = Volume(smoothed(scan.data[0], scan.grid.spacing_mm, vote.denoise_mm)[None], scan.grid)
    if model.config.preprocess.stripped:
        scan = _without_skull(scan, brain, model.config.margin_mm)
    volume = to_ras(scan)
    cubes = with_cubes(volume.grid, min(volume.grid.spacing_mm))  # square pixels in every plane
    cube = resample_to(volume, cubes, nearest=False)
    centre = _middle(cube.grid, None if brain is None else Volume(brain[None], scans.grid))
    cuts = vote_slices(cube.data[0], centre, cube.grid.spacing_mm, tuple(vote.offsets_mm))
    prepared = np.stack([prepare_slice(cut.image, model.config.preprocess) for cut in cuts])
    probabilities = model.probabilities(torch.from_numpy(prepared))
    classes = list(model.config.classes)
    together = combine_votes(probabilities, classes, vote.healthy_at)
    number = int(probabilities[:, classes.index(together.verdict)].argmax())
    box = slice_box(grey_uint8(cuts[number].image), model.config.preprocess)
    loudest = Loudest(
        number, box, prepared[number], heat_of(model, prepared[number], classes.index(together.verdict))
    )
    if brain is not None:
        mask = _in_slice(brain, scans.grid, cube.grid, cuts[number].plane, cuts[number].index, loudest)
        loudest = replace(loudest, brain=mask > 0)
    return TumorType(
        verdict=together.verdict,
        healthy_at=vote.healthy_at,
        sequence=sequence,
        probabilities=_rounded(together.probabilities),
        slices=_votes(cuts, probabilities, classes),
        planes=_by_plane(cuts, probabilities, classes, vote.healthy_at),
        noise=noise,
        filtered=filtered,
        cube=cube.grid,
        loudest=loudest,
    )


def with_tumor(found: TumorType, classes: NDArray[np.uint8], grid: Grid) -> TumorType:
    """The same with the segmented tumour (X, Y, Z) in its loudest slice."""
    where = found.slices[found.loudest.number]
    tumor = _in_slice(classes, grid, found.cube, where.plane, where.voxel, found.loudest)
    return replace(found, loudest=replace(found.loudest, tumor=tumor))


def _in_slice(
    array: NDArray[Any], grid: Grid, cube: Grid, plane: str, index: int, loudest: Loudest
) -> NDArray[np.uint8]:
    """Labels (X, Y, Z) in the slice that the classifier was shown, (S, S)."""
    slice_grid = slice_of(cube, planes.PLANES[plane], index)
    there = resample_to(Volume(array.astype(np.uint8)[None], grid), slice_grid, nearest=True).data[0]
    return framed(planes.cut(there, plane, 0), loudest.box, len(loudest.image), nearest=True)


def _noise_of(volume: Volume) -> float:
    """On the scan's own grid: resampling smooths noise away."""
    image = volume.data[0]
    return noise_share(image, tissue_of(image))


def _without_skull(scan: Volume, brain: NDArray[np.bool_] | None, margin_mm: float) -> Volume:
    if brain is None:
        raise ImageError(NO_BRAIN)
    return Volume(scan.data * with_margin(brain, margin_mm, scan.grid.spacing_mm), scan.grid)


def _votes(
    cuts: Sequence[VoteSlice], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> list[SliceVote]:
    return [
        SliceVote(cut.plane, cut.offset_mm, cut.index, _rounded(dict(zip(classes, row, strict=True))))
        for cut, row in zip(cuts, probabilities.tolist(), strict=True)
    ]


def _by_plane(
    cuts: Sequence[VoteSlice], probabilities: NDArray[np.float64], classes: Sequence[str], healthy_at: float
) -> dict[str, Verdict]:
    planes = np.array([cut.plane for cut in cuts])
    return {
        plane: combine_votes(probabilities[planes == plane], classes, healthy_at)
        for plane in dict.fromkeys(planes.tolist())
    }


def heat_of(
    model: ClassifierModel, prepared: NDArray[np.uint8], class_index: int
) -> NDArray[np.float32] | None:
    """Grad-CAM (S, S) of a class in a prepared slice (S, S); None where the backbone has no map."""
    stage = model.net.map_stage(model.config.preprocess.size)
    if stage is None:
        return None
    x = network_input(torch.from_numpy(prepared)[None], model.config.preprocess).to(model.device)
    return grad_cam(model.net, stage, x, class_index)


def _rounded(probabilities: dict[str, float]) -> dict[str, float]:
    return {name: round(p, 5) for name, p in probabilities.items()}


def _middle(grid: Grid, brain: Volume | None) -> tuple[int, int, int]:
    """The voxel of `grid` in the middle of the brain's box, or in its own middle."""
    if brain is None or not brain.data.any():
        x, y, z = (n // 2 for n in grid.shape)
        return x, y, z
    inside = np.argwhere(brain.data[0])
    world = apply_affine(brain.grid.affine, (inside.min(axis=0) + inside.max(axis=0)) / 2)
    x, y, z = np.rint(apply_affine(np.linalg.inv(grid.affine), world)).astype(int).tolist()
    return x, y, z
