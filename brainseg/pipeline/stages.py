"""The three stages: each takes scans and a trained model, and gives its result on the scan's own grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import special

from brainseg.config.errors import ImageError
from brainseg.config.schema import VoteConfig, WindowConfig
from brainseg.images.labels import CLASSES, REGIONS
from brainseg.images.margin import with_margin
from brainseg.images.volume import Grid, Volume, resample_to, to_ras
from brainseg.inference import HEALTHY, combine_votes, fill_holes, largest_component, vote_slices
from brainseg.pipeline.scans import Scans
from brainseg.preprocess.slices import prepare_slice
from brainseg.preprocess.volumes import prepare_volume
from brainseg.tasks import Classifier, Segmenter, SkullStripper

VOTE_ORDER = ("t1ce", "flair", "t2", "t1")


@dataclass(frozen=True)
class Strip:
    """The brain, on the reference grid: mask (X, Y, Z) and its probability.

    Of a network that learnt distances, logits are mm: a probability of 0.73 lies 1 mm within the edge.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class TumorType:
    """The vote of a volume's slices."""

    verdict: str
    sequence: str
    probabilities: dict[str, float]  # mean over the slices
    slices: list[dict[str, Any]]  # plane, offset and probabilities of each

    @property
    def reason(self) -> str:
        """The means that explain it: a tumour of 0.1 is the verdict where notumor misses its threshold."""
        named = dict.fromkeys([self.verdict, HEALTHY])
        means = ", ".join(f"{name} {self.probabilities[name]:.2f}" for name in named)
        return f"mean of {len(self.slices)} slices: {means}"


@dataclass(frozen=True)
class Segmentation:
    """Tumour classes (X, Y, Z) on the reference grid, and the probability of each class (K, X, Y, Z)."""

    classes: NDArray[np.uint8]
    probabilities: NDArray[np.float32]

    def volumes_ml(self, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
        voxel_ml = float(np.prod(spacing_mm)) / 1000
        parts = {region: np.isin(self.classes, members) for region, members in REGIONS.items()}
        parts |= {
            name: self.classes == index for index, name in enumerate(CLASSES) if index and name not in parts
        }
        return {name: round(float(part.sum()) * voxel_ml, 3) for name, part in parts.items()}


def strip(scans: Scans, model: SkullStripper, window: WindowConfig) -> Strip:
    """The brain of a head, from the one sequence that the model knows."""
    prepared = prepare_volume(
        scans.on_reference(model.config.preprocess.modalities[0]), model.config.preprocess
    )
    logits = model.logits(_tensor(prepared.image, model), **_options(window))
    # Interpolated before the sigmoid, which would pull the edge between two coarse voxels to their middle.
    logit = prepared.undo(logits.float().cpu().numpy(), nearest=False, outside=-np.inf)[0]
    mask = fill_holes(largest_component(logit > 0))
    return Strip(np.asarray(mask, dtype=bool), special.expit(logit))


def classify(scans: Scans, brain: NDArray[np.bool_] | None, model: Classifier, vote: VoteConfig) -> TumorType:
    """The tumour type that slices of one sequence, in three planes, agree on.

    The slices are cut through the middle of the brain, or of the scan where no brain is known; from the brain
    alone if the classifier was trained on scans without skull, else from the scan as it came.

    Raises:
        ImageError: The classifier needs a brain, and none is known.
    """
    sequence = vote.sequence or next(name for name in VOTE_ORDER if name in scans.images)
    scan = scans.on_reference(sequence)
    if model.config.preprocess.stripped:
        if brain is None:
            raise ImageError(
                "the classifier was trained on scans without skull, and no brain mask is known when it is "
                "asked: give skullstripper=CHECKPOINT and put strip before classify in pipeline.stages"
            )
        shown = with_margin(brain, model.config.margin_mm, scan.grid.spacing_mm)
        scan = Volume(scan.data * shown, scan.grid)
    volume = to_ras(scan)
    cube = resample_to(volume, _with_cubic_voxels(volume.grid), nearest=False)  # square pixels in every plane
    centre = _middle(cube.grid, None if brain is None else Volume(brain[None], scans.grid))
    slices = vote_slices(cube.data[0], centre, cube.grid.spacing_mm, tuple(vote.offsets_mm))
    prepared = np.stack([prepare_slice(cut.image, model.config.preprocess) for cut in slices])
    probabilities = model.probabilities(torch.from_numpy(prepared)).cpu().numpy()
    classes = list(model.config.classes)
    combined = combine_votes(probabilities, classes, vote.healthy_at)
    return TumorType(
        verdict=combined.verdict,
        sequence=sequence,
        probabilities={name: round(p, 5) for name, p in combined.probabilities.items()},
        slices=[
            {
                "plane": cut.plane,
                "offset_mm": cut.offset_mm,
                "probabilities": {name: round(float(p), 5) for name, p in zip(classes, row, strict=True)},
            }
            for cut, row in zip(slices, probabilities, strict=True)
        ],
    )


def segment(
    scans: Scans, brain: NDArray[np.bool_] | None, model: Segmenter, window: WindowConfig
) -> Segmentation:
    """The tumour inside the brain and its margin, from the sequences that the model was trained with."""
    channels = [scans.on_reference(name).data for name in model.config.preprocess.modalities]
    volume = Volume(np.concatenate(channels), scans.grid)
    if brain is not None:  # and around it what the scan holds: a stripped one is empty there
        near = with_margin(brain, model.config.margin_mm, scans.grid.spacing_mm)
        brain = brain | (near & (volume.data != 0).any(axis=0))
    prepared = prepare_volume(volume, model.config.preprocess, brain)
    logits = model.logits(_tensor(prepared.image, model), **_options(window))
    probabilities = prepared.undo(logits.float().softmax(0).cpu().numpy(), nearest=False)
    probabilities[0] += 1 - probabilities.sum(axis=0)  # outside the crop all is background
    classes = probabilities.argmax(axis=0).astype(np.uint8)
    if brain is not None:
        classes[~brain] = 0
    return Segmentation(classes, probabilities.astype(np.float32))


def _tensor(image: NDArray[np.float32], model: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).to(model.device)


def _options(window: WindowConfig) -> dict[str, Any]:
    return {"overlap": window.overlap, "blend": str(window.blend), "batch_size": window.batch_size}


def _with_cubic_voxels(grid: Grid) -> Grid:
    """The same field of view in RAS, every side of a voxel as long as the shortest one is."""
    ratio = min(grid.spacing_mm) / np.array(grid.spacing_mm)
    x, y, z = (max(1, round(n / r)) for n, r in zip(grid.shape, ratio, strict=True))
    step = np.diag([*ratio, 1.0])
    step[:3, 3] = (ratio - 1) / 2  # the corner of the first voxel stays
    return Grid((x, y, z), grid.affine @ step)


def _middle(grid: Grid, brain: Volume | None) -> tuple[int, int, int]:
    """The voxel of `grid` in the middle of the brain's box, or in its own middle."""
    if brain is None or not brain.data.any():
        x, y, z = (n // 2 for n in grid.shape)
        return x, y, z
    inside = np.argwhere(brain.data[0])
    world = apply_affine(brain.grid.affine, (inside.min(axis=0) + inside.max(axis=0)) / 2)
    x, y, z = np.rint(apply_affine(np.linalg.inv(grid.affine), world)).astype(int).tolist()
    return x, y, z
