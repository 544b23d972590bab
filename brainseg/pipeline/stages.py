"""Stripping and segmenting: scans and a trained model in, a result on the scan's own grid out."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from brainseg.config.schema import ANY, WindowConfig
from brainseg.images.labels import CLASSES, REGIONS
from brainseg.images.margin import with_margin
from brainseg.images.volume import Volume
from brainseg.inference import fill_holes, largest_component, otsu_brain
from brainseg.pipeline.scans import Scans
from brainseg.preprocess.volumes import prepare_volume
from brainseg.tasks import Segmenter, SkullStripper, TaskModule


@dataclass(frozen=True)
class Strip:
    """The brain, on the reference grid: mask (X, Y, Z) and the logit of each voxel.

    Of a network that learnt distances, logits are mm: a probability of 0.73 lies 1 mm within the edge.
    `own` has the masks of sequences in which it was found anew, on their own grids.
    """

    mask: NDArray[np.bool_]
    logit: NDArray[np.float32]
    own: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def probability(self) -> NDArray[np.float32]:
        return np.asarray(special.expit(self.logit))


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


class Otsu:
    """In the place of a trained skull stripper: it takes any sequence."""


def sequences_of(model: TaskModule | Otsu) -> list[str]:
    """What the model must be given, in the order of its channels; nothing, where any sequence will do."""
    known = [] if isinstance(model, Otsu) else list(model.config.preprocess.modalities)
    return [] if known == [ANY] else known


def strip(scans: Scans, model: SkullStripper | Otsu, window: WindowConfig) -> Strip:
    """The brain of a head, from the one sequence that the model knows, else from the reference.

    A model of any sequence finds it again in each that lies on a grid of its own: people move between scans.
    """
    known = next(iter(sequences_of(model)), None)
    mask, logit = _brain_of(scans.on_reference(known or scans.reference), model, window)
    apart = {} if known else {n: v for n, v in scans.images.items() if v.grid.difference(scans.grid)}
    return Strip(mask, logit, {name: _brain_of(volume, model, window)[0] for name, volume in apart.items()})


def _brain_of(
    volume: Volume, model: SkullStripper | Otsu, window: WindowConfig
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Mask and logits (X, Y, Z) on the volume's grid."""
    if isinstance(model, Otsu):
        mask = otsu_brain(volume.data[0], volume.grid.spacing_mm)
        return mask, np.where(mask, np.inf, -np.inf).astype(np.float32)
    prepared = prepare_volume(volume, model.config.preprocess, landmarks=_landmarks(model))
    logits = model.logits(_tensor(prepared.image, model), **_options(window))
    # Interpolated before the sigmoid, which would pull the edge between two coarse voxels to their middle.
    logit = prepared.undo(logits.float().cpu().numpy(), nearest=False, outside=-np.inf)[0]
    mask = fill_holes(largest_component(logit > 0))
    return np.asarray(mask, dtype=bool), logit


def segment(
    scans: Scans, brain: NDArray[np.bool_] | None, model: Segmenter, window: WindowConfig
) -> Segmentation:
    """The tumour inside the brain and its margin, from the sequences that the model was trained with."""
    channels = [scans.on_reference(name).data for name in sequences_of(model)]
    volume = Volume(np.concatenate(channels), scans.grid)
    if brain is not None:  # and around it what the scan holds: a stripped one is empty there
        near = with_margin(brain, model.config.margin_mm, scans.grid.spacing_mm)
        brain = brain | (near & (volume.data != 0).any(axis=0))
    prepared = prepare_volume(volume, model.config.preprocess, brain, _landmarks(model))
    logits = model.logits(_tensor(prepared.image, model), **_options(window))
    probabilities = prepared.undo(logits.float().softmax(0).cpu().numpy(), nearest=False)
    probabilities[0] += 1 - probabilities.sum(axis=0)  # outside the crop all is background
    classes = probabilities.argmax(axis=0).astype(np.uint8)
    if brain is not None:
        classes[~brain] = 0
    return Segmentation(classes, probabilities.astype(np.float32))


def _landmarks(model: TaskModule) -> Any:
    """Those of the training part, where the model was trained with them."""
    return model.provenance.get("facts", {}).get("landmarks")


def _tensor(image: NDArray[np.float32], model: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).to(model.device)


def _options(window: WindowConfig) -> dict[str, Any]:
    return {"overlap": window.overlap, "blend": str(window.blend), "batch_size": window.batch_size}
