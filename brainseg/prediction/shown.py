"""What a network of several sequences is shown of a scan without skull, whichever of them there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.masks import with_margin
from brainseg.images.volume import Volume
from brainseg.prediction.brain import Mask
from brainseg.prediction.models import landmarks_of
from brainseg.prediction.scans import Scans
from brainseg.preprocess.volumes import Prepared, prepare_volume


class OfSequences(Protocol):
    """A model that knows several sequences, or any one, and perhaps subsets of them."""

    config: Any

    @property
    def subsets(self) -> list[list[str]]:
        """Those that it was trained for, beside all of them."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A prepared scan.

    Args:
        image: float32 (C, X, Y, Z), a channel for each sequence that the model knows; 0 where there is none.
        prepared: Where that lies in the scan.
        brain: The mask (X, Y, Z) on the scan's grid that was shown, with its margin; None without one.
    """

    image: NDArray[np.float32]
    prepared: Prepared
    brain: Mask | None


def usable_sequences(
    model: OfSequences, there: Collection[str], whose: str, name: str = "segmenter"
) -> list[str]:
    """The sequences that a model will be shown: all that it knows, or a subset that it was trained for.

    The largest subset whose sequences are all there is taken.

    Args:
        model: The model.
        there: The sequences that there are.
        whose: The subject, for the message.
        name: The model's name, for the message.

    Raises:
        ImageError: There is no such subset.
    """
    every = list(model.config.preprocess.modalities)
    known = [every, *model.subsets]
    if fitting := [names for names in known if set(names) <= set(there)]:
        return max(fitting, key=len)
    trained_with = "; or ".join(", ".join(names) for names in known)
    missing = ", ".join(name for name in every if name not in there)
    raise ImageError(
        f"{whose} has {', '.join(there)} but lacks {missing}: the {name.replace('_', ' ')} was trained with "
        f"{trained_with}. Add the missing file, or leave out {name}="
    )


def shown_of(scans: Scans, brain: Mask | None, model: OfSequences, there: Sequence[str]) -> Shown:
    """The scan as a model wants it, on the reference grid, inside the brain and the model's margin.

    Args:
        scans: The sequences.
        brain: The mask (X, Y, Z) on the reference grid; None where it is not known.
        model: Its config says how a scan is prepared.
        there: The sequences that it is shown; one, where the model takes any.
    """
    settings = model.config.preprocess
    every = list(there) if len(settings.modalities) == 1 else list(settings.modalities)
    volume = Volume(np.concatenate([scans.on_reference(name).data for name in there]), scans.grid)
    if brain is not None and model.config.margin_mm:
        # And around it what the scan holds: a stripped one is empty there.
        near = with_margin(brain, model.config.margin_mm, scans.grid.spacing_mm)
        brain = brain | (near & (volume.data != 0).any(axis=0))
    places = [every.index(name) for name in there]
    landmarks = landmarks_of(model)  # type: ignore[arg-type]
    prepared = prepare_volume(
        volume,
        replace(settings, modalities=list(there)),
        brain,
        landmarks and [landmarks[place] for place in places],
    )
    image = prepared.image
    if list(there) != every:
        image = np.zeros((len(every), *prepared.grid.shape), np.float32)
        image[places] = prepared.image
    return Shown(np.ascontiguousarray(image), prepared, brain)
