"""A template of a head as a scanner might show it: any contrast, thick slices, uneven coils, parts cut off.

Unlike the phantoms that are written to files these need not be the same bits on every machine, so torch
does the work.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from brainseg.config import TUMOR_TYPES
from brainseg.phantom.contrast import random_look, realistic_look
from brainseg.phantom.fields import Bool, Float
from brainseg.phantom.parts import Tissue
from brainseg.phantom.scanners import Random, blurred, coil, field, noisy
from brainseg.phantom.templates import BRAIN, PARTS, Template
from brainseg.phantom.tissues import Tissues, tissues_of

REALISTIC_SHARE = 0.65  # of the paintings look like one of these; all parts of the rest are random
SEQUENCE_SHARES = {
    "t1": 0.2,
    "t1ce": 0.15,
    "t2": 0.25,
    "flair": 0.4,
}  # FLAIR is hardest: CSF and skull are dark
MEANS_SD = 0.1  # of the logarithm of a part's mean, where it looks real
AIR = int(Tissue.AIR)


def paint(template: Template, seed: int) -> tuple[Float, Bool]:
    """An image (X, Y, Z) of a template, not negative, and its brain mask; the field of view may be smaller.

    Args:
        template: The head.
        seed: Decides everything that is drawn.
    """
    image, brain = painted_head(tissues_of(template), Random(seed))
    return image.numpy().copy(), brain.numpy()


def painted_head(tissues: Tissues, rng: Random) -> tuple[Tensor, Tensor]:
    """The same of tensors, on the device that they are on."""
    mm, means = tissues.spacing_mm, _means(rng)
    image = _tissue(tissues, means, rng)
    image *= 1 + rng.uniform(0.02, 0.14) * field(image.shape, 16 / mm, rng)
    image = blurred(image, mm, rng)
    image *= coil(image.shape, mm, rng)
    image = noisy(image, max(means["white"], means["gray"]), rng)
    if rng.random() < 0.3:
        image[tissues.parts == AIR] = 0  # as some archives leave it
    image = image ** float(np.exp(rng.normal(0, 0.15)))
    seen = _field_of_view(tissues, rng)
    return image[seen], tissues.brain[seen]


def _means(rng: Random) -> dict[str, float]:
    seed, kind = int(rng.integers(2**62)), TUMOR_TYPES[int(rng.integers(len(TUMOR_TYPES)))]
    sequence = str(rng.choice(list(SEQUENCE_SHARES), p=list(SEQUENCE_SHARES.values())))
    if rng.random() > REALISTIC_SHARE:
        return dict(random_look(seed, sequence, kind).means)
    means = realistic_look(seed, sequence, kind).means
    return {part: mean * float(np.exp(rng.normal(0, MEANS_SD))) for part, mean in means.items()}


def _tissue(tissues: Tissues, means: dict[str, float], rng: Random) -> Tensor:
    image, mm = filled(tissues.parts, means), tissues.spacing_mm
    gray, white = tissues.gray / 255, tissues.white / 255
    matter = means["csf"] + gray * (means["gray"] - means["csf"]) + white * (means["white"] - means["csf"])
    matter *= 1 + rng.uniform(0, 0.1) * field(image.shape, 40 / mm, rng)
    if rng.random() < 0.4:  # lesions of white matter
        where = (field(image.shape, 7 / mm, rng) > rng.uniform(1.9, 2.8)) & (white > 0.6)
        matter = torch.where(where, means["white"] * rng.uniform(0.5, 2.0), matter)
    return torch.where(tissues.parts == BRAIN, matter, image)


def filled(parts: Tensor, means: Mapping[str, float]) -> Tensor:
    """Each voxel with the mean of its part, 0 of a part without one."""
    table = torch.tensor([means.get(part, 0.0) for part in PARTS], device=parts.device)
    return table.index_select(0, parts.flatten().int()).view(parts.shape)


def _field_of_view(tissues: Tissues, rng: Random) -> tuple[slice, slice, slice]:
    """Most of the neck is outside, and in some the crown, the face or the nape."""
    used, voxels = tissues.brain_ends(), 1 / tissues.spacing_mm
    ends: list[list[int]] = [[0, side] for side in tissues.shape]
    if rng.random() < 0.85:  # from 10 mm within the brainstem to 90 mm below it
        ends[2][0] = int(used[2][0] + rng.uniform(-90, 10) * voxels)
    if rng.random() < 0.15:
        ends[2][1] = int(used[2][-1] - rng.uniform(-12, 15) * voxels)
    if rng.random() < 0.15:
        ends[1][1] = int(used[1][-1] + rng.uniform(0, 40) * voxels)
    if rng.random() < 0.1:
        ends[1][0] = int(used[1][0] - rng.uniform(0, 15) * voxels)
    x, y, z = (
        slice(max(first, 0), min(last, side)) for (first, last), side in zip(ends, tissues.shape, strict=True)
    )
    return x, y, z
