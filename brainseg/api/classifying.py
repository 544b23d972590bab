"""`brainseg.classify`: the tumour type of 2D slices."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainseg.api.memory import Path_, is_path
from brainseg.checkpoint import load_model
from brainseg.config.errors import CheckpointError, ImageError
from brainseg.images.jpeg import read_slice
from brainseg.prediction.slices import probabilities_of
from brainseg.preprocess.slices import prepare_slice
from brainseg.system.device import best_device
from brainseg.tasks import Classifier, TaskModule

Slice = Path_ | NDArray[Any] | Image.Image


@dataclass(frozen=True)
class SliceType:
    """What a classifier says of one slice.

    Attributes:
        type: The most probable class.
        probabilities: Calibrated, of each class.
    """

    type: str
    probabilities: dict[str, float]


def classify(
    images: Slice | Iterable[Slice], model: Path_ | TaskModule, *, device: str = "auto"
) -> list[SliceType]:
    """The tumour type of each slice, in the order given; a list for a single slice too.

    Args:
        images: Pictures: paths (JPEG, PNG, ...), arrays (H, W) or (H, W, 3), or PIL images. Arrays of other
            numbers than 0 to 255 are brought there by their own range.
        model: A classifier's checkpoint, or what `load_model` gave.
        device: Where a checkpoint is loaded: auto, cpu, cuda or mps. A loaded model stays where it is.

    Raises:
        ImageError: A picture cannot be used.
        CheckpointError: The model is no classifier.
    """
    classifier = model if isinstance(model, TaskModule) else _loaded(model, device)
    if not isinstance(classifier, Classifier):
        raise CheckpointError(f"the model is a {classifier.task}; give a classifier")
    single = is_path(images) or isinstance(images, np.ndarray | Image.Image)
    slices = [images] if single else list(images)  # type: ignore[arg-type]
    prepared = [prepare_slice(_pixels(one), classifier.config.preprocess) for one in slices]
    rows = probabilities_of(prepared, classifier)
    names = list(classifier.config.classes)
    return [
        SliceType(names[int(row.argmax())], dict(zip(names, map(float, row), strict=True))) for row in rows
    ]


def _loaded(path: Path_, device: str) -> TaskModule:
    return load_model(Path(os.fspath(path)), best_device(device), task="classifier")


def _pixels(image: Any) -> NDArray[Any]:
    if is_path(image):
        return read_slice(image)
    array = np.asarray(image.convert("L") if isinstance(image, Image.Image) else image)
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] == 3):
        raise ImageError(f"a slice is (H, W) or (H, W, 3), this one is {array.shape}")
    return array
