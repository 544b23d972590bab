"""A slice as the classifier wants it: the same for a JPEG of a data set and a slice cut out of a volume."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from brainseg.config import SlicePreprocess
from brainseg.config.schema import Normalise, SliceCrop
from brainseg.images.jpeg import grey_uint8

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
HEAD_ABOVE = 0.05  # of the range


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
    if settings.crop is SliceCrop.head:
        grey = grey[_head_box(grey)]
    square = Image.fromarray(_padded_to_square(grey))
    return np.array(square.resize((settings.size, settings.size), Image.Resampling.BILINEAR))


def network_input(slices: Tensor, settings: SlicePreprocess) -> Tensor:
    """What the backbone takes, float (B, 3, size, size), from prepared slices, uint8 (B, size, size).

    The three channels hold the same grey value; `imagenet` scales each by its own mean and deviation, `head`
    each slice by those of its pixels above a twentieth of the range.
    """
    unit = (slices.float() / 255).unsqueeze(1)
    if settings.normalise is Normalise.head:
        unit = _standardised(unit)
    unit = unit.expand(-1, 3, -1, -1)
    if settings.normalise is not Normalise.imagenet:
        return unit.contiguous()
    mean, deviation = (
        torch.tensor(values, device=slices.device).view(3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return (unit - mean) / deviation


def _standardised(unit: Tensor) -> Tensor:
    head = unit > HEAD_ABOVE
    n = head.sum((1, 2, 3), keepdim=True).clamp_min(1)
    mean = (unit * head).sum((1, 2, 3), keepdim=True) / n
    variance = ((unit - mean).square() * head).sum((1, 2, 3), keepdim=True) / n
    return (unit - mean) / variance.sqrt().clamp_min(1 / 255)  # a flat slice stays finite


def _head_box(grey: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The box of the head in a slice (H, W); the whole slice if nothing stands out.

    Bright is above a tenth of the 98th percentile, the threshold of BET. Parts smaller than a tenth of the
    largest are left out: letters and marks at the border of exported slices.
    """
    parts, n_parts = ndimage.label(grey > 0.1 * np.percentile(grey, 98))
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
