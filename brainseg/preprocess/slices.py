"""A slice as the classifier wants it: the same for a JPEG of a data set and a slice cut out of a volume."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from brainseg.config import SlicePreprocess
from brainseg.config.choices import Normalise, SliceCrop
from brainseg.images.jpeg import grey_uint8
from brainseg.images.tissue import tissue_of

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red: Keras turns the channels round
HEAD_ABOVE = 0.05  # of the range

Box = tuple[slice, slice]


def prepare_slice(image: NDArray[Any], settings: SlicePreprocess) -> NDArray[np.uint8]:
    """The slice as a grey square (size, size).

    It becomes grey uint8 (`grey_uint8`), is cropped, padded with black to a square so that a head keeps its
    proportions, and resized bilinearly, smoothed when it shrinks (PIL's `BILINEAR`, a triangle as wide as the
    output pixel). Pixels are taken as square: give a slice with others at equal spacing.

    Args:
        image: (H, W) of any type, or (H, W, 3) in colour.
        settings: What the classifier was, or will be, trained with.
    """
    grey = grey_uint8(image)
    return framed(grey, slice_box(grey, settings), settings.size)


def slice_box(grey: NDArray[np.uint8], settings: SlicePreprocess) -> Box:
    """The rows and columns of a grey slice (H, W) that the classifier is shown."""
    return _head_box(grey) if settings.crop is SliceCrop.head else (slice(None), slice(None))


def framed(image: NDArray[np.uint8], box: Box, size: int, *, nearest: bool = False) -> NDArray[np.uint8]:
    """What lies in a box of (H, W) as a square (size, size): a slice, or labels of it with `nearest`."""
    square = Image.fromarray(_padded_to_square(image[box]))
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return np.array(square.resize((size, size), how))


def network_input(slices: Tensor, settings: SlicePreprocess) -> Tensor:
    """What the backbone takes, float (B, 3, size, size), from prepared slices, uint8 (B, size, size).

    The three channels hold the same grey value; `config.choices.Normalise` says what each choice does to it.
    """
    unit = (slices.float() / 255).unsqueeze(1)
    if settings.normalise is Normalise.head:
        unit = _standardised(unit)
    grey = unit.expand(-1, 3, -1, -1)
    match settings.normalise:
        case Normalise.imagenet:
            return _as_imagenet(grey)
        case Normalise.caffe:
            return 255 * grey - _channels(CAFFE_MEAN, grey)
        case Normalise.tf:
            return 2 * grey - 1
        case Normalise.double_scaled:
            return _as_imagenet(grey / 255)
        case _:
            return grey.contiguous()


def _as_imagenet(grey: Tensor) -> Tensor:
    return (grey - _channels(IMAGENET_MEAN, grey)) / _channels(IMAGENET_DEVIATION, grey)


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device).view(3, 1, 1)


def _standardised(unit: Tensor) -> Tensor:
    head = unit > HEAD_ABOVE
    n = head.sum((1, 2, 3), keepdim=True).clamp_min(1)
    mean = (unit * head).sum((1, 2, 3), keepdim=True) / n
    variance = ((unit - mean).square() * head).sum((1, 2, 3), keepdim=True) / n
    return (unit - mean) / variance.sqrt().clamp_min(1 / 255)  # a flat slice stays finite


def _head_box(grey: NDArray[np.uint8]) -> Box:
    """The box of the head in a slice (H, W); the whole slice if nothing stands out.

    Parts smaller than a tenth of the largest are left out: letters and marks at the border of exported
    slices.
    """
    parts, n_parts = ndimage.label(tissue_of(grey))
    if n_parts == 0:
        return slice(None), slice(None)
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(sizes >= 0.1 * sizes.max()) + 1
    rows, columns = ndimage.find_objects(np.isin(parts, large).astype(np.uint8))[0]
    return rows, columns


def _padded_to_square(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = max(grey.shape)
    before = [(side - n) // 2 for n in grey.shape]
    return np.pad(grey, [(b, side - n - b) for b, n in zip(before, grey.shape, strict=True)])
