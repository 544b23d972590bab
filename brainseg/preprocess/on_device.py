"""What `prepare_volume` does to a scan that needs no resampling, for tensors on any device.

Painted scans come to it: cubes of the wanted size, in RAS, made where they are trained on.
"""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor

from brainseg.config import VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError, ImageError
from brainseg.images.masks import Box
from brainseg.images.tissue import TISSUE_ABOVE
from brainseg.preprocess.volumes import CLIPPED, HEAD_MARGIN_MM, LEAST_FILLED


def prepared_tensors(
    image: Tensor, labels: Tensor, spacing_mm: float, settings: VolumePreprocess
) -> tuple[Tensor, Tensor]:
    """An image (C, X, Y, Z), float32, and its labels (X, Y, Z), uint8: cropped, and the image scaled.

    Args:
        image: Its channels in the order of `settings.modalities`.
        labels: Whatever numbers or truths.
        spacing_mm: Side of the voxels, as `settings` want them.
        settings: What the network was, or will be, trained with.

    Raises:
        ImageError: A channel has one value only, in all that counts for its scale.
        ConfigError: A crop or a scale that is not for painted scans.
    """
    box = _box(image, spacing_mm, settings.crop)
    image, labels = image[(slice(None), *box)], labels[box].to(torch.uint8)
    if (image.amin(dim=(1, 2, 3)) < image.amax(dim=(1, 2, 3))).all():
        scaled = torch.stack([_scaled(one, settings.intensity) for one in image])
        if scaled.isfinite().all():
            return scaled, labels
    names, limits = ", ".join(settings.modalities), f"{float(image.min()):g} to {float(image.max()):g}"
    raise ImageError(f"{names}: one has a single value where all have {limits}; take another data.seed")


def _box(image: Tensor, spacing_mm: float, crop: Crop) -> Box:
    match crop:
        case Crop.none:
            return slice(None), slice(None), slice(None)
        case Crop.nonzero:
            return _box_of((image != 0).any(dim=0), 0)
        case Crop.head:
            return _box_of(_head_of(image), ceil(HEAD_MARGIN_MM / spacing_mm))
    raise ConfigError(f"preprocess.crop={crop} is not for painted scans; set it to none, nonzero or head")


def _box_of(mask: Tensor, margin: int) -> Box:
    """As `images.masks.box_of`."""
    plane = mask.any(dim=0)
    sides = []
    for used in (mask.flatten(1).any(dim=1), plane.any(dim=1), plane.any(dim=0)):
        voxels = used.nonzero().flatten().tolist()
        if not voxels:
            return slice(None), slice(None), slice(None)
        sides.append(slice(max(voxels[0] - margin, 0), voxels[-1] + margin + 1))
    return sides[0], sides[1], sides[2]


def _head_of(image: Tensor) -> Tensor:
    """As `preprocess.volumes.head_of`."""
    ends = torch.stack([_percentiles(one[::2, ::2, ::2], (2, 98)) for one in image])
    low, high = ends.view(-1, 2, 1, 1, 1).unbind(dim=1)
    head = (image > low + TISSUE_ABOVE * (high - low)).any(dim=0)
    for axis in range(3):
        filled = head.sum(dim=tuple(a for a in range(3) if a != axis))
        layers = filled >= LEAST_FILLED * filled.max()
        head = head & layers.view([-1 if a == axis else 1 for a in range(3)])
    return head


def _scaled(image: Tensor, intensity: Intensity) -> Tensor:
    """One channel, (X, Y, Z)."""
    match intensity:
        case Intensity.zscore:
            return (image - image.mean()) / image.std(correction=0)
        case Intensity.zscore_nonzero:
            inside = image != 0
            n = inside.sum()
            centred = torch.where(inside, image - image.sum() / n, 0)
            return centred / (centred.square().sum() / n).sqrt()
        case Intensity.minmax:
            return (image - image.amin()) / (image.amax() - image.amin())
        case Intensity.percentile:
            low, high = _percentiles(image[image > image.mean()], (0.5, 99.5))
            unit: Tensor = (image - low) / (high - low)
            return unit.clamp_(0, CLIPPED)
    raise ConfigError(f"preprocess.intensity={intensity} is not for painted scans")


def _percentiles(values: Tensor, wanted: Sequence[float]) -> Tensor:
    """As `numpy.percentile`; torch's own `quantile` takes 16 million values at most."""
    ordered = values.flatten().sort().values
    places = [percent / 100 * (len(ordered) - 1) for percent in wanted]
    return torch.stack([torch.lerp(ordered[int(p)], ordered[ceil(p)], p - int(p)) for p in places])
