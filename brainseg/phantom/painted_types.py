"""A brain with a tumour of a given type, or none, as scanners might show it in each sequence or in any."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from brainseg.config.choices import ANY, SEQUENCES
from brainseg.phantom.anatomy import Anatomy, anatomy_of
from brainseg.phantom.contrast import random_look, realistic_look
from brainseg.phantom.fields import Float
from brainseg.phantom.gliomas import Glioma, grow_anew
from brainseg.phantom.painted_tumours import painted, stripped
from brainseg.phantom.parts import Tissue
from brainseg.phantom.scanners import Random, point_spread
from brainseg.phantom.sequence_looks import Means, drawn_looks
from brainseg.phantom.templates import Template
from brainseg.phantom.tissues import tissues_of

VERSION = 1  # raise it when the same seed gives another painting
REALISTIC_SHARE = 0.4  # of the paintings look as the phantoms that are written to files
RANDOM_SHARE = 0.3  # of those of one sequence of any kind have parts of any brightness
MARGIN_SHARE = 0.6  # of the brains are cut out with the margin, the others without
LEAST_CONTRAST = 0.12  # between a tumour and gray matter where both are drawn at random
LEAST_ML = 1.0  # of a glioma that is grown anew
JITTER = 0.08  # of the logarithm of the means of a realistic look
NECROSIS, EDEMA, ENHANCING = (len(Tissue) - 1 + label for label in (1, 2, 3))


def paint_type(template: Template, seed: int, sequences: Sequence[str], margin_mm: float = 0.0) -> Float:
    """Images (C, X, Y, Z) of a brain, 0 where the skull was stripped.

    Args:
        template: A head whose tumour type was given. In a glioma's head without one a glioma is grown anew.
        seed: Decides everything that is drawn.
        sequences: Which images, in this order; "any" is one of any kind.
        margin_mm: How far beyond the brain most scans are cut.
    """
    rng, tumor_type = Random(seed), template.tumor_type or "notumor"
    anatomy = anatomy_of(tissues_of(template), rng)
    tumour = _of_template(anatomy)
    if tumor_type == "glioma" and not tumour.labels.any():
        anatomy, tumour = _grown(anatomy, rng)
    cut_mm = margin_mm if rng.random() < MARGIN_SHARE else 0.0
    images, _ = painted(
        anatomy,
        tumour,
        sequences,
        rng,
        partial(type_looks, tumor_type=tumor_type),
        partial(_kept, tumour=tumour, margin_mm=cut_mm),
    )
    return images.numpy()


def type_looks(rng: Random, tumor_type: str) -> Mapping[str, Means]:
    """The mean of each part by sequence, and under "any" that of a sequence of any kind."""
    looks = drawn_looks(rng)
    if tumor_type in ("meningioma", "pituitary"):
        looks = _extra_axial(looks, rng)
    if rng.random() < REALISTIC_SHARE:
        looks = _realistic(looks, tumor_type, rng)
    one = looks[SEQUENCES[int(rng.integers(len(SEQUENCES)))]]
    return {**looks, ANY: _random(one, tumor_type, rng) if rng.random() < RANDOM_SHARE else one}


def _extra_axial(looks: Mapping[str, Means], rng: Random) -> dict[str, Means]:
    """Tumour that is no brain: like gray matter in T1 and T2, and enhancing through and through."""
    u = rng.uniform
    t1 = looks["t1"] | {"enhancing": looks["t1"]["gray"] * u(0.85, 1.15)}
    before = looks["t1ce"]["gray"] * u(0.85, 1.15)
    t1ce = looks["t1ce"] | {"enhancing": before + u(0.35, 1.15)}
    t2 = looks["t2"] | {"enhancing": looks["t2"]["gray"] * u(0.85, 1.35)}
    return {"t1": t1, "t1ce": t1ce, "t2": t2, "flair": looks["flair"] | {"enhancing": u(0.75, 1.35)}}


def _realistic(looks: Mapping[str, Means], tumor_type: str, rng: Random) -> dict[str, Means]:
    seed = int(rng.integers(2**62))
    return {
        name: _named(dict(realistic_look(seed, name, tumor_type).means), looks[name], rng)
        for name in SEQUENCES
    }


def _random(one: Means, tumor_type: str, rng: Random) -> Means:
    """Parts of any brightness, then jittered; no tumour is as bright as gray matter, or nobody saw it."""
    means = dict(random_look(int(rng.integers(2**62)), "t1", tumor_type).means)
    gray = means["gray"]
    for part in ("necrosis", "edema", "enhancing"):
        if abs(means[part] - gray) < LEAST_CONTRAST:
            means[part] = gray + LEAST_CONTRAST if gray < 0.5 else gray - LEAST_CONTRAST
    return _named(means, one, rng)


def _named(means: Means, other: Means, rng: Random) -> Means:
    """Means by the names of a painting; parts that phantoms have not are as bright as in another look."""
    jittered = {part: mean * float(np.exp(rng.normal(0, JITTER))) for part, mean in means.items()}
    scale = jittered["gray"] / other["gray"]
    rest = {part: other[part] * scale for part in ("lesion", "blood", "lime")}
    own = {"core": jittered["necrosis"], "infiltration": jittered["edema"], "plexus": jittered["gray"]}
    return jittered | rest | own


def _of_template(anatomy: Anatomy) -> Glioma:
    """The tumour that a template holds, or an empty one; its edge is no sharper than a voxel."""
    core, infiltration, enhancing = (
        point_spread((anatomy.parts == part).float(), 0.15) for part in (NECROSIS, EDEMA, ENHANCING)
    )
    labels = (anatomy.parts.int() - (NECROSIS - 1)).clamp_min(0).to(torch.uint8)
    nothing = torch.zeros(anatomy.shape)
    return Glioma("of a template", core, infiltration, enhancing, nothing, nothing, labels)


def _grown(anatomy: Anatomy, rng: Random) -> tuple[Anatomy, Glioma]:
    """A glioma that can be seen."""
    while True:
        grown, glioma = grow_anew(anatomy, rng)
        if int((glioma.labels > 0).sum()) * anatomy.spacing_mm**3 / 1000 >= LEAST_ML:
            return grown, glioma


def _kept(anatomy: Anatomy, rng: Random, tumour: Glioma, margin_mm: float) -> Tensor:
    """What stripping left; all of the tumour is there, as whoever looks at the rest cannot name it."""
    return stripped(anatomy, rng, margin_mm) | (tumour.labels > 0)
