"""A template of a head as a scanner might show it: any contrast, thick slices, uneven coils, parts cut off.

Unlike the phantoms that are written to files these need not be the same bits on every machine, so torch
does the work.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from brainseg.config import TUMOR_TYPES
from brainseg.phantom.contrast import random_look, realistic_look
from brainseg.phantom.fields import Bool, Float
from brainseg.phantom.parts import Tissue
from brainseg.phantom.templates import BRAIN, PARTS, Template

REALISTIC_SHARE = 0.65  # of the paintings look like one of these; all parts of the rest are random
SEQUENCE_SHARES = {
    "t1": 0.2,
    "t1ce": 0.15,
    "t2": 0.25,
    "flair": 0.4,
}  # FLAIR is hardest: CSF and skull are dark
MEANS_SD = 0.1  # of the logarithm of a part's mean, where it looks real
AIR = int(Tissue.AIR)

Random = np.random.Generator


def paint(template: Template, seed: int) -> tuple[Float, Bool]:
    """An image (X, Y, Z) of a template, not negative, and its brain mask; the field of view may be smaller.

    Args:
        template: The head.
        seed: Decides everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    means = _means(rng)
    image = _tissue(template, means, rng)
    image *= 1 + rng.uniform(0.02, 0.14) * _field(image.shape, 16 / template.spacing_mm, rng)
    image = _blurred(image, template.spacing_mm, rng)
    image *= _coil(image.shape, template.spacing_mm, rng)
    image = _noisy(image, means, rng)
    if rng.random() < 0.3:
        image[torch.from_numpy(template.parts == AIR)] = 0  # as some archives leave it
    image = image ** float(np.exp(rng.normal(0, 0.15)))
    seen = _field_of_view(template, rng)
    return image.numpy()[seen].copy(), template.brain[seen]


def _means(rng: Random) -> dict[str, float]:
    seed, kind = int(rng.integers(2**62)), TUMOR_TYPES[int(rng.integers(len(TUMOR_TYPES)))]
    sequence = str(rng.choice(list(SEQUENCE_SHARES), p=list(SEQUENCE_SHARES.values())))
    if rng.random() > REALISTIC_SHARE:
        return dict(random_look(seed, sequence, kind).means)
    means = realistic_look(seed, sequence, kind).means
    return {part: mean * float(np.exp(rng.normal(0, MEANS_SD))) for part, mean in means.items()}


def _tissue(template: Template, means: dict[str, float], rng: Random) -> Tensor:
    table = np.array([means.get(part, 0.0) for part in PARTS], dtype=np.float32)
    image = torch.from_numpy(table.take(template.parts))
    brain = torch.from_numpy(template.parts == BRAIN)
    gray, white = (torch.from_numpy(part / np.float32(255)) for part in (template.gray, template.white))
    matter = means["csf"] + gray * (means["gray"] - means["csf"]) + white * (means["white"] - means["csf"])
    matter *= 1 + rng.uniform(0, 0.1) * _field(image.shape, 40 / template.spacing_mm, rng)
    if rng.random() < 0.4:  # lesions of white matter
        where = (_field(image.shape, 7 / template.spacing_mm, rng) > rng.uniform(1.9, 2.8)) & (white > 0.6)
        matter = torch.where(where, means["white"] * rng.uniform(0.5, 2.0), matter)
    return torch.where(brain, matter, image)


def _field(shape: tuple[int, ...], node: float, rng: Random) -> Tensor:
    """A smooth field of mean 0 and standard deviation about 1 that varies over `node` voxels."""
    nodes = tuple(int(np.ceil(side / node)) + 2 for side in shape)
    coarse = torch.from_numpy(rng.standard_normal(nodes, dtype=np.float32)) * 1.5  # interpolation evens out
    return functional.interpolate(coarse[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]


def _blurred(image: Tensor, spacing_mm: float, rng: Random) -> Tensor:
    """Thick slices, or a point spread of up to a voxel."""
    if rng.random() < 0.6:
        axis = int(rng.choice(3, p=(0.2, 0.2, 0.6)))
        size = [image.shape[0], image.shape[1], image.shape[2]]
        size[axis] = max(2, round(size[axis] * spacing_mm / rng.uniform(max(2.5, spacing_mm), 6.5)))
        thick = functional.adaptive_avg_pool3d(image[None, None], (size[0], size[1], size[2]))
        return functional.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]
    share = float(rng.uniform(0, 0.25))
    kernel = torch.tensor([share, 1 - 2 * share, share])
    for axis in range(3):
        view = [1, 1, 1, 1, 1]
        view[2 + axis] = 3
        pad = [0, 0, 0]
        pad[axis] = 1
        image = functional.conv3d(image[None, None], kernel.view(view), padding=pad)[0, 0]
    return image


def _coil(shape: tuple[int, ...], spacing_mm: float, rng: Random) -> Tensor:
    """Smooth sensitivity; in some a ramp, darker outer slices, or more or less near the coils around."""
    log = float(rng.uniform(0, 0.3)) * _field(shape, 90 / spacing_mm, rng)
    if rng.random() < 0.5:
        middle = rng.normal(0, 0.15, 3)
        squared = sum((_along(shape, axis) - float(middle[axis])) ** 2 for axis in range(3))
        log += float(rng.uniform(-0.6, 1.2)) * squared
    if rng.random() < 0.4:
        log += float(rng.uniform(-0.4, 0.4)) * _along(shape, int(rng.integers(3)))
    if rng.random() < 0.3:
        log -= float(rng.uniform(0, 0.7)) * _along(shape, 2) ** 4
    return log.exp_()


def _along(shape: tuple[int, ...], axis: int) -> Tensor:
    """-1 to 1 along an axis."""
    view = [1, 1, 1]
    view[axis] = -1
    return torch.linspace(-1, 1, shape[axis]).view(view)


def _noisy(image: Tensor, means: dict[str, float], rng: Random) -> Tensor:
    """Rician noise."""
    deviation = float(rng.uniform(0, 0.06)) * max(means["white"], means["gray"])
    real, imaginary = (
        torch.from_numpy(rng.standard_normal(tuple(image.shape), dtype=np.float32)) * deviation
        for _ in range(2)
    )
    return ((image + real) ** 2 + imaginary**2).sqrt_()


def _field_of_view(template: Template, rng: Random) -> tuple[slice, slice, slice]:
    """Most of the neck is outside, and in some the crown, the face or the nape."""
    used = [np.flatnonzero(template.brain.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    voxels = 1 / template.spacing_mm
    ends: list[list[int]] = [[0, side] for side in template.parts.shape]
    if rng.random() < 0.85:  # from 10 mm within the brainstem to 90 mm below it
        ends[2][0] = int(used[2][0] + rng.uniform(-90, 10) * voxels)
    if rng.random() < 0.15:
        ends[2][1] = int(used[2][-1] - rng.uniform(-12, 15) * voxels)
    if rng.random() < 0.15:
        ends[1][1] = int(used[1][-1] + rng.uniform(0, 40) * voxels)
    if rng.random() < 0.1:
        ends[1][0] = int(used[1][0] - rng.uniform(0, 15) * voxels)
    x, y, z = (
        slice(max(first, 0), min(last, side))
        for (first, last), side in zip(ends, template.parts.shape, strict=True)
    )
    return x, y, z
