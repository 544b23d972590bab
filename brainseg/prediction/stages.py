"""Stripping and segmenting: scans and a trained model in, a result on the scan's own grid out."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from brainseg.config.choices import ANY
from brainseg.config.errors import ImageError
from brainseg.config.prediction import WindowConfig
from brainseg.images.labels import CLASSES, REGIONS
from brainseg.images.masks import with_margin
from brainseg.images.volume import Volume
from brainseg.inference import fill_holes, largest_component, otsu_brain
from brainseg.prediction.scans import Scans
from brainseg.preprocess.volumes import prepare_volume
from brainseg.system.device import fast_precision
from brainseg.tasks import Ensemble, SkullStripper, TaskModule


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
    """The tumour on the reference grid.

    Args:
        classes: (X, Y, Z), cleaned.
        regions: Calibrated probability of each of `REGIONS`, (R, X, Y, Z), before cleaning.
        sequences: What it was found in.
        about: How: members, mirror images, cleaning, for result.json.
    """

    classes: NDArray[np.uint8]
    regions: NDArray[np.float32]
    sequences: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    def volumes_ml(self, voxel_ml: float) -> dict[str, float]:
        parts = {region: np.isin(self.classes, members) for region, members in REGIONS.items()}
        parts |= {
            name: self.classes == index for index, name in enumerate(CLASSES) if index and name not in parts
        }
        return {name: round(float(part.sum()) * voxel_ml, 3) for name, part in parts.items()}


class Otsu:
    """In the place of a trained skull stripper: it takes any sequence."""


def sequences_of(model: TaskModule | Ensemble | Otsu) -> list[str]:
    """What the model is shown, in the order of its channels; nothing, where any sequence will do."""
    known = [] if isinstance(model, Otsu) else list(model.config.preprocess.modalities)
    return [] if known == [ANY] else known


def usable_sequences(model: Ensemble, there: Collection[str], whose: str) -> list[str]:
    """What a segmenter will be shown of the sequences that there are: all it knows, or a subset of these.

    Of the subsets that it was trained for, the largest one that is there.

    Raises:
        ImageError: There is none.
    """
    every = sequences_of(model)
    fitting = [names for names in ([every, *model.subsets]) if set(names) <= set(there)]
    if fitting:
        return max(fitting, key=len)
    known = ", or ".join(" and ".join(names) for names in [every, *model.subsets])
    missing = ", ".join(name for name in every if name not in there)
    raise ImageError(
        f"{whose} has {', '.join(there)} but lacks {missing}: the segmenter was trained with {known}; "
        "add the file, or leave out segmenter="
    )


def strip(scans: Scans, model: SkullStripper | Otsu, window: WindowConfig) -> Strip:
    """The brain of a head, from the one sequence that the model knows, else from the reference.

    A model of any sequence finds it again in each that lies on a grid of its own: people move between scans.
    Those that were registered have been moved back, and share the one mask.
    """
    known = next(iter(sequences_of(model)), None)
    mask, logit = _brain_of(scans.on_reference(known or scans.reference), model, window)
    apart = [] if known else [n for n in scans.images if scans.difference(n) and not scans.is_registered(n)]
    return Strip(mask, logit, {name: _brain_of(scans.images[name], model, window)[0] for name in apart})


def strip_mirrored(scans: Scans, model: Any, window: WindowConfig) -> NDArray[np.bool_]:
    """The brain in the mirror image of the scan that `strip` looks at, left for right, mirrored back."""
    known = next(iter(sequences_of(model)), None)
    volume = scans.on_reference(known or scans.reference)
    axis = next(n for n, code in enumerate(volume.grid.orientation) if code in "LR")
    mirrored = Volume(np.ascontiguousarray(np.flip(volume.data, axis + 1)), volume.grid)
    return np.flip(_brain_of(mirrored, model, window)[0], axis)


def _brain_of(
    volume: Volume, model: SkullStripper | Otsu, window: WindowConfig
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Mask and logits (X, Y, Z) on the volume's grid."""
    if isinstance(model, Otsu):
        mask = otsu_brain(volume.data[0], volume.grid.spacing_mm)
        return mask, np.where(mask, np.inf, -np.inf).astype(np.float32)
    prepared = prepare_volume(volume, model.config.preprocess, landmarks=_landmarks(model))
    with torch.inference_mode(), fast_precision(model.device):
        options = {"origin": prepared.origin, **window_options(window)}
        logits = model.logits(_tensor(prepared.image, model), **options)
    # Interpolated before the sigmoid, which would pull the edge between two coarse voxels to their middle.
    logit = prepared.undo(logits.float().cpu().numpy(), nearest=False, outside=-np.inf)[0]
    mask = fill_holes(largest_component(logit > 0))
    return np.asarray(mask, dtype=bool), logit


def segment(
    scans: Scans, brain: NDArray[np.bool_] | None, model: Ensemble, window: WindowConfig
) -> Segmentation:
    """The tumour inside the brain and its margin, from the sequences that the model was trained with.

    Raises:
        ImageError: Those that there are make up no subset that it was trained for.
    """
    every, there = sequences_of(model), usable_sequences(model, scans.images, "the scan")
    volume = Volume(np.concatenate([scans.on_reference(name).data for name in there]), scans.grid)
    if brain is not None and model.config.margin_mm:
        # And around it what the scan holds: a stripped one is empty there.
        near = with_margin(brain, model.config.margin_mm, scans.grid.spacing_mm)
        brain = brain | (near & (volume.data != 0).any(axis=0))
    settings = replace(model.config.preprocess, modalities=there)
    places = [every.index(name) for name in there]
    landmarks = _landmarks(model)
    prepared = prepare_volume(volume, settings, brain, landmarks and [landmarks[place] for place in places])
    del volume  # not to be held beside the network's feature maps
    image = prepared.image
    if there != every:
        image = np.zeros((len(every), *prepared.grid.shape), np.float32)
        image[places] = prepared.image
    with torch.inference_mode(), fast_precision(model.device):
        options = {"origin": prepared.origin, **window_options(window)}
        found = model.probabilities(
            _tensor(image, model), None if there == every else there, window.flips, **options
        )
    # Decided where the network looked, which is often less than half of the scan; all else is background.
    probabilities = torch.from_numpy(prepared.at_source(found.float().cpu().numpy(), nearest=False))
    inside = 1 if brain is None else prepared.cut(brain)
    classes = prepared.paste((model.decided(probabilities).numpy() * inside)[None].astype(np.uint8))[0]
    regions = prepared.paste(model.regions(probabilities).numpy() * inside)
    classes = model.cleaning(classes, scans.grid.voxel_ml)
    about = {
        "sequences": there,
        "members": len(model.members),
        "flips": str(window.flips),
        "cleaning": asdict(model.cleaning),
        "temperatures": model.temperatures,
    }
    return Segmentation(classes, regions, tuple(there), about)


def _landmarks(model: TaskModule | Ensemble) -> Any:
    """Those of the training part, where the model was trained with them."""
    return model.provenance.get("facts", {}).get("landmarks")


def _tensor(image: NDArray[np.float32], model: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).to(model.device)


def window_options(window: WindowConfig) -> dict[str, Any]:
    return {"overlap": window.overlap, "blend": str(window.blend), "batch_size": window.batch_size}
