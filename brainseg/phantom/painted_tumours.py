"""A brain with a glioma that is grown for one painting, as scanners might show it in each sequence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brainseg.phantom.anatomy import Anatomy, anatomy_of, averaged, widened
from brainseg.phantom.fields import Float
from brainseg.phantom.gliomas import Glioma, grow_anew
from brainseg.phantom.painting import filled
from brainseg.phantom.scanners import Random, coil, field, noisy, point_spread, thick_slices
from brainseg.phantom.sequence_looks import Means, drawn_looks
from brainseg.phantom.templates import Template
from brainseg.phantom.tissues import Tissues, tissues_of

VERSION = 2  # raise it when the same seed gives another painting
WHOLE_HEAD_SHARE = 0.1  # of the paintings keep what lies around the brain
THICK_SHARE = 0.65  # of the studies have thick slices
CUT_SHARE = 0.25  # of the fields of view end within the brain, above or below
STRIP_MM = 2.5  # how far the edge of a stripped brain moves


@dataclass(frozen=True)
class Study:
    """What the sequences of one patient share, tensors (X, Y, Z).

    Attributes:
        lesions: Share of each voxel that is a lesion of white matter or the bright seam of a ventricle.
        vessels, plexus: Share of each voxel that is vessel, or choroid plexus.
        texture: Of the tumour: mean 0, standard deviation 1.
        sensitivity: Of the coil.
        slices: Axis and thickness in voxels of all sequences; None where each has its own.
    """

    lesions: Tensor
    vessels: Tensor
    plexus: Tensor
    texture: Tensor
    sensitivity: Tensor
    slices: tuple[int, float] | None


def paint_tumour(template: Template, seed: int, sequences: Sequence[str]) -> tuple[Float, NDArray[np.uint8]]:
    """Images (C, X, Y, Z) of the brain, 0 where the skull was stripped, and labels (X, Y, Z).

    Args:
        template: A head without tumour.
        seed: Decides everything that is drawn.
        sequences: Which images, in this order.
    """
    images, labels = painted_tumour(tissues_of(template), Random(seed), sequences)
    return images.numpy(), labels.numpy()


def painted_tumour(tissues: Tissues, rng: Random, sequences: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The same of tensors, on the device that they are on."""
    anatomy, glioma = grow_anew(anatomy_of(tissues, rng), rng)
    return painted(anatomy, glioma, sequences, rng, drawn_looks, stripped)


def painted(
    anatomy: Anatomy,
    tumour: Glioma,
    sequences: Sequence[str],
    rng: Random,
    looks_of: Callable[[Random], Mapping[str, Means]],
    kept_of: Callable[[Anatomy, Random], Tensor],
) -> tuple[Tensor, Tensor]:
    """Images (C, X, Y, Z) and labels (X, Y, Z) of a brain with its tumour, on its device.

    Args:
        anatomy: The brain.
        tumour: What grows in it.
        sequences: Which images, in this order.
        rng: Draws all that is not given.
        looks_of: The mean of each part by sequence.
        kept_of: The voxels (X, Y, Z) that stripping leaves.
    """
    kept, looks, study = kept_of(anatomy, rng), looks_of(rng), _study(anatomy, rng)
    images = [_image(name, looks[name], anatomy, tumour, study, rng) * kept for name in sequences]
    return torch.stack(images), tumour.labels * kept


def _study(anatomy: Anatomy, rng: Random) -> Study:
    mm = anatomy.spacing_mm
    return Study(
        _lesions(anatomy, rng),
        _vessels(anatomy, rng),
        anatomy.ventricles * (field(anatomy.shape, 6 / mm, rng) > rng.uniform(1.0, 2.0)),
        _mixed(anatomy, rng),
        coil(anatomy.shape, mm, rng) ** float(rng.uniform(0.1, 1)),
        _slices(mm, rng) if rng.random() < 0.6 else None,
    )


def _image(
    sequence: str, means: Means, anatomy: Anatomy, glioma: Glioma, study: Study, rng: Random
) -> Tensor:
    """One sequence (X, Y, Z), not negative."""
    shape, mm = anatomy.shape, anatomy.spacing_mm
    image = _healthy(sequence, means, anatomy, study, rng)
    image = torch.lerp(image, image.new_full((), means["vessel"]), study.vessels)
    image = _with_tumour(image, means, anatomy, glioma, study, rng)
    image = image * (1 + float(rng.uniform(0, 0.05)) * field(shape, 16 / mm, rng))
    slices = study.slices or _slices(mm, rng)
    image = (
        thick_slices(image, *slices) if slices[1] > 1 else point_spread(image, float(rng.uniform(0, 0.25)))
    )
    own = float(rng.uniform(0, 0.15)) * field(shape, 70 / mm, rng)
    image = noisy(image * study.sensitivity * own.exp_(), max(means["white"], means["gray"]), rng)
    image = image.clamp_min_(1e-4) ** float(np.exp(rng.normal(0, 0.18)))
    if rng.random() < 0.12:  # a patient who moved between two scans
        image = image.roll(int(rng.choice((-1, 1))), int(rng.integers(3)))
    return image


def _healthy(sequence: str, means: Means, anatomy: Anatomy, study: Study, rng: Random) -> Tensor:
    """The head without tumour: uneven matter, bright seams and lesions, fluid that flows."""
    mm = anatomy.spacing_mm
    around = filled(anatomy.parts, means)
    gray, white = means["gray"], means["white"]
    fluid = torch.full(anatomy.shape, means["csf"], device=rng.device)
    cortex = gray * (1 + float(rng.uniform(0, 0.08)) * field(anatomy.shape, 25 / mm, rng))
    deep = white * (1 + float(rng.uniform(0, 0.06)) * field(anatomy.shape, 40 / mm, rng))
    if sequence == "flair" and rng.random() < 0.4:  # fluid that moved is not dark
        fluid += float(rng.uniform(0.1, 0.8)) * field(anatomy.shape, 20 / mm, rng).clamp_min(0)
    matter = anatomy.fluid * fluid + anatomy.gray * cortex + anatomy.white * deep
    matter = torch.lerp(matter, matter.new_full((), means["lesion"]), study.lesions)
    matter = torch.lerp(matter, matter.new_full((), means["plexus"]), study.plexus)
    return torch.where(anatomy.brain, matter, around)


def _with_tumour(
    image: Tensor, means: Means, anatomy: Anatomy, glioma: Glioma, study: Study, rng: Random
) -> Tensor:
    core = (glioma.core + glioma.enhancing).clamp(0, 1)
    blood, lime = glioma.blood * core, glioma.lime * core
    rest = 1 - glioma.core - glioma.enhancing - glioma.infiltration
    inside = (
        glioma.core * means["core"]
        + glioma.infiltration * means["infiltration"]
        + glioma.enhancing * means["enhancing"]
    )
    own = field(anatomy.shape, float(rng.uniform(3, 10)) / anatomy.spacing_mm, rng)
    mottled = float(rng.uniform(0.02, 0.14)) * own + float(rng.normal(0, 0.1)) * study.texture
    image = image * rest.clamp_min(0) + inside * (1 + mottled).clamp_min(0.2)
    image = torch.lerp(image, image.new_full((), means["blood"]), blood)
    return torch.lerp(image, image.new_full((), means["lime"]), lime)


def _lesions(anatomy: Anatomy, rng: Random) -> Tensor:
    """Seams and caps of the ventricles, and spots, more of them in some."""
    mm = anatomy.spacing_mm
    lesions = torch.zeros(anatomy.shape, device=rng.device)
    if rng.random() < 0.7:
        reach = max(1, round(float(rng.uniform(1.5, 6)) / mm))
        seam = averaged(widened((anatomy.ventricles > 0.5).float(), reach), max(1, reach // 2))
        uneven = (field(anatomy.shape, 14 / mm, rng) + float(rng.uniform(-0.5, 1.2))).clamp(0, 1)
        lesions = seam * uneven * float(rng.uniform(0.2, 1.0))
    if rng.random() < 0.5:
        found = field(anatomy.shape, float(rng.uniform(5, 9)) / mm, rng) - float(rng.uniform(1.4, 2.6))
        lesions = torch.maximum(lesions, (2 * found).clamp(0, 1))
    return lesions * (anatomy.white + 0.3 * anatomy.gray).clamp(0, 1)


def _vessels(anatomy: Anatomy, rng: Random) -> Tensor:
    """Where two smooth fields are 0 at once: curves; near the surface more than within."""
    node = 18 / anatomy.spacing_mm
    squared = field(anatomy.shape, node, rng) ** 2 + field(anatomy.shape, node, rng) ** 2
    width = float(rng.uniform(0.06, 0.22)) * (1.05 - anatomy.depth_mm / 14).clamp_min(0.03)
    return (1.5 - squared.sqrt_() / width).clamp(0, 1) * anatomy.brain


def _mixed(anatomy: Anatomy, rng: Random) -> Tensor:
    return field(anatomy.shape, float(rng.uniform(4, 12)) / anatomy.spacing_mm, rng)


def _slices(spacing_mm: float, rng: Random) -> tuple[int, float]:
    """The axis and the thickness in voxels of slices; 1 where they are thin."""
    axis = int(rng.choice(3, p=(0.15, 0.15, 0.7)))
    thick = rng.random() < THICK_SHARE
    return axis, max(float(rng.uniform(2.5, 7.5)) / spacing_mm, 1.0) if thick else 1.0


def stripped(anatomy: Anatomy, rng: Random, margin_mm: float = 0.0) -> Tensor:
    """What stripping left: the brain with an edge too wide here and too tight there, or all of the head.

    Args:
        anatomy: The brain.
        rng: Draws it.
        margin_mm: How far beyond the brain is cut.
    """
    mm, shape = anatomy.spacing_mm, anatomy.shape
    if rng.random() < WHOLE_HEAD_SHARE:
        return anatomy.parts > 0
    brain = anatomy.brain.float()
    if margin_mm:
        brain = widened(brain, round(margin_mm / mm))
    soft = averaged(brain, max(1, round(STRIP_MM / mm)))
    level = float(rng.uniform(0.15, 0.6)) + 0.15 * field(shape, 30 / mm, rng)
    kept = soft > level.clamp(0.05, 0.85)
    if rng.random() < 0.35:  # orbits, marrow, nerves
        rest = field(shape, 14 / mm, rng) > float(rng.uniform(1.2, 2.2))
        kept |= rest & (widened(kept.float(), max(1, round(6 / mm))) > 0) & (anatomy.parts > 0)
    if rng.random() < CUT_SHARE:
        low, high = float(rng.uniform(-40, 25)), float(rng.uniform(-40, 15))
        margin = 10.0
        first, last = (max(0, round((end + margin) / mm)) for end in (low, high))
        kept[:, :, :first] = False
        kept[:, :, shape[2] - last :] = False
    return kept
