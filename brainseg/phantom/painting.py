"""A template of a head as a scanner might show it: any contrast, thick slices, uneven coils, parts cut off.

Unlike the phantoms that are written to files these need not be the same bits on every machine, so torch
does the work.
"""

import numpy as np
import torch
from torch import Tensor

from brainseg.config import TUMOR_TYPES
from brainseg.phantom.contrast import random_look, realistic_look
from brainseg.phantom.fields import Bool, Float
from brainseg.phantom.parts import Tissue
from brainseg.phantom.scanners import blurred, coil, field, noisy
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


def paint(template: Template, seed: int) -> tuple[Float, Bool]:
    """An image (X, Y, Z) of a template, not negative, and its brain mask; the field of view may be smaller.

    Args:
        template: The head.
        seed: Decides everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    means = _means(rng)
    image = _tissue(template, means, rng)
    image *= 1 + rng.uniform(0.02, 0.14) * field(image.shape, 16 / template.spacing_mm, rng)
    image = blurred(image, template.spacing_mm, rng)
    image *= coil(image.shape, template.spacing_mm, rng)
    image = noisy(image, max(means["white"], means["gray"]), rng)
    if rng.random() < 0.3:
        image[torch.from_numpy(template.parts == AIR)] = 0  # as some archives leave it
    image = image ** float(np.exp(rng.normal(0, 0.15)))
    seen = _field_of_view(template, rng)
    return image.numpy()[seen].copy(), template.brain[seen]


def _means(rng: np.random.Generator) -> dict[str, float]:
    seed, kind = int(rng.integers(2**62)), TUMOR_TYPES[int(rng.integers(len(TUMOR_TYPES)))]
    sequence = str(rng.choice(list(SEQUENCE_SHARES), p=list(SEQUENCE_SHARES.values())))
    if rng.random() > REALISTIC_SHARE:
        return dict(random_look(seed, sequence, kind).means)
    means = realistic_look(seed, sequence, kind).means
    return {part: mean * float(np.exp(rng.normal(0, MEANS_SD))) for part, mean in means.items()}


def _tissue(template: Template, means: dict[str, float], rng: np.random.Generator) -> Tensor:
    table = np.array([means.get(part, 0.0) for part in PARTS], dtype=np.float32)
    image = torch.from_numpy(table.take(template.parts))
    brain = torch.from_numpy(template.parts == BRAIN)
    gray, white = (torch.from_numpy(part / np.float32(255)) for part in (template.gray, template.white))
    matter = means["csf"] + gray * (means["gray"] - means["csf"]) + white * (means["white"] - means["csf"])
    matter *= 1 + rng.uniform(0, 0.1) * field(image.shape, 40 / template.spacing_mm, rng)
    if rng.random() < 0.4:  # lesions of white matter
        where = (field(image.shape, 7 / template.spacing_mm, rng) > rng.uniform(1.9, 2.8)) & (white > 0.6)
        matter = torch.where(where, means["white"] * rng.uniform(0.5, 2.0), matter)
    return torch.where(brain, matter, image)


def _field_of_view(template: Template, rng: np.random.Generator) -> tuple[slice, slice, slice]:
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
