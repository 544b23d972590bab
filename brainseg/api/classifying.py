"""`brainseg.classify`: the tumour type of 2D slices."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainseg.api.memory import AnyPath, is_path
from brainseg.checkpoint import load_model
from brainseg.config.errors import CheckpointError, ImageError
from brainseg.images.jpeg import pixels_of, read_slice
from brainseg.prediction.slices import probabilities_of
from brainseg.preprocess.slices import prepare_slice
from brainseg.trained import ClassifierModel, Model

Slice = AnyPath | NDArray[Any] | Image.Image


@dataclass(frozen=True)
class SliceType:
    """What a classifier says of one slice.

    Attributes:
        type: The most probable class.
        probabilities: Calibrated probability of each class.
    """

    type: str
    probabilities: dict[str, float]


def classify(
    images: Slice | Iterable[Slice], model: AnyPath | Model, *, device: str = "auto"
) -> list[SliceType]:
    """The tumour type of each slice, in the order given; a list for a single slice too.

    A classifier that was trained with `classifier.preprocess.stripped=true` needs slices without skull; the
    pixels do not tell, so give it slices of a stripped scan, such as `Prediction.images["t1_stripped"]`.

    Args:
        images: One slice, or a list of slices: paths (JPEG, PNG, ...), arrays (H, W) or (H, W, 3), or PIL
            images. Values other than bytes are clipped to their percentiles 0.5 and 99.5 and scaled to 0 to
            255.
        model: A classifier's checkpoint, or what `load_model` gave.
        device: Where a checkpoint is loaded: auto, cpu, cuda or mps. A loaded model stays where it is.

    Raises:
        ImageError: A slice cannot be used: a wrong shape or type, or values that are NaN or infinite.
        CheckpointError: The model is no classifier.
    """
    classifier = model if isinstance(model, Model) else _loaded(model, device)
    if not isinstance(classifier, ClassifierModel):
        raise CheckpointError(f"the model is a {classifier.task}; give a classifier")
    single = is_path(images) or hasattr(images, "__array__") or not isinstance(images, Iterable)
    slices = [images] if single else list(images)  # type: ignore[arg-type]
    prepared = [prepare_slice(_pixels(one), classifier.config.preprocess) for one in slices]
    rows = probabilities_of(prepared, classifier)
    names = list(classifier.config.classes)
    return [
        SliceType(names[int(row.argmax())], dict(zip(names, map(float, row), strict=True))) for row in rows
    ]


def _loaded(path: Any, device: str) -> Model:
    if not is_path(path):
        raise CheckpointError(
            f"the model is of type {type(path).__name__}; give a checkpoint, or what load_model gave"
        )
    return load_model(Path(path), device, task="classifier")


def _pixels(image: Any) -> NDArray[Any]:
    """The pixels of a slice, (H, W) or (H, W, 3), all of them finite.

    Raises:
        ImageError: It cannot be read, or it is no slice.
    """
    if is_path(image):
        return read_slice(image)
    array = pixels_of(image) if isinstance(image, Image.Image) else np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise ImageError(
            f"a slice of type {_kind(image, array)} cannot be used; give a path, an array or PIL image"
        )
    if array.ndim != 2 and array.shape[2:] != (3,):
        raise ImageError(
            f"a slice is (H, W) or (H, W, 3), this one is {array.shape}; give several slices as a list"
        )
    if array.size == 0 or (broken := int((~np.isfinite(array)).sum())):
        fault = f"{broken} of {array.size} pixels are NaN or infinite" if array.size else "it has no pixels"
        raise ImageError(f"a slice {array.shape} cannot be used: {fault}")
    return array.astype(np.uint8) * 255 if array.dtype == bool else array


def _kind(image: Any, array: NDArray[Any]) -> str:
    return f"{array.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
