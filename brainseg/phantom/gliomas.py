"""Gliomas as real ones are, drawn anew for each painting.

With and without enhancement, with whole or broken rims, several foci, infiltration without an edge. A focus
is a field rho, 0 in its middle and 1 on the surface of its core, roughened by noise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from brainseg.images.labels import EDEMA, ENHANCING_TUMOR, NECROTIC_CORE
from brainseg.phantom.anatomy import Anatomy, pushed
from brainseg.phantom.scanners import Random, field

# How often each kind is drawn.
KINDS = {"none": 0.06, "low grade": 0.42, "ring": 0.3, "patchy": 0.22}
SEVERAL_SHARE = 0.2  # of the gliomas have two or three foci
BLOOD_SHARE = 0.15
LIME_SHARE = 0.1
FILLED = 0.4  # share of tumour from which a voxel is outlined, as experts do where it has no edge


@dataclass(frozen=True)
class Glioma:
    """A tumour, all tensors (X, Y, Z).

    Attributes:
        kind: One of `KINDS`.
        core, infiltration, enhancing: Shares of each voxel: necrosis or tumour that takes up no agent; oedema
            and tumour cells among the brain's; tumour that enhances.
        blood, lime: Shares of the core that are haemorrhage and calcification.
        labels: uint8, 0 to 3 as `images.labels` has them.
    """

    kind: str
    core: Tensor
    infiltration: Tensor
    enhancing: Tensor
    blood: Tensor
    lime: Tensor
    labels: Tensor


def grow_anew(anatomy: Anatomy, rng: Random) -> tuple[Anatomy, Glioma]:
    """A glioma, or none, and the brain that makes room for it."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    nothing = torch.zeros(anatomy.shape, device=rng.device)
    if kind == "none":
        return anatomy, Glioma(kind, nothing, nothing, nothing, nothing, nothing, nothing.byte())
    foci = int(rng.integers(2, 4)) if rng.random() < SEVERAL_SHARE else 1
    core, infiltration, enhancing = nothing, nothing, nothing
    for number in range(foci):
        anatomy, shares = _focus(anatomy, kind, rng, smaller=number > 0)
        core, enhancing = torch.maximum(core, shares[0]), torch.maximum(enhancing, shares[2])
        core = torch.minimum(core, 1 - enhancing)
        infiltration = torch.maximum(infiltration, shares[1])
    infiltration = torch.minimum(infiltration, 1 - core - enhancing).clamp_min(0)
    blood = lime = nothing
    if rng.random() < BLOOD_SHARE:
        blood = _soft(_field(anatomy, rng.uniform(6, 14), rng) - rng.uniform(0.4, 1.5), 0.5)
    if rng.random() < LIME_SHARE:
        lime = _soft(_field(anatomy, rng.uniform(4, 8), rng) - rng.uniform(1.0, 1.8), 0.5)
    labels = _labels(core, infiltration, enhancing)
    return anatomy, Glioma(kind, core, infiltration, enhancing, blood, lime, labels)


def _labels(core: Tensor, infiltration: Tensor, enhancing: Tensor) -> Tensor:
    """The class that fills most of each voxel that the tumour fills enough of."""
    labels = torch.where(core >= infiltration, NECROTIC_CORE, EDEMA)
    labels = torch.where(enhancing > torch.maximum(core, infiltration), ENHANCING_TUMOR, labels)
    return (labels * (core + infiltration + enhancing > FILLED)).to(torch.uint8)


def _focus(anatomy: Anatomy, kind: str, rng: Random, *, smaller: bool) -> tuple[Anatomy, Tensor]:
    """One focus: the brain around it, and its shares (3, X, Y, Z) of core, infiltration and enhancement."""
    radius = float(rng.uniform(9, 42) if kind == "low grade" else rng.uniform(7, 32))
    radius = max(radius * (0.5 if smaller else 1.0), 2 * anatomy.spacing_mm)
    centre = _place(anatomy, radius, rng)
    anatomy = pushed(anatomy, centre, radius, float(rng.uniform(0, 0.55)))
    rho = _rho(anatomy, centre, radius, rng)
    inside_mm = (1 - rho) * radius
    edge_mm = float(rng.uniform(1, 9) if kind == "low grade" else rng.uniform(1, 5))
    matter = anatomy.gray + anatomy.white
    gate = anatomy.brain.float()
    if rng.random() < 0.5:  # the sulci stay open
        gate = gate * (1.6 * matter - 0.2).clamp(0, 1)
    whole = _soft(inside_mm, edge_mm) * gate
    core, enhancing, reach_mm = _INSIDES[kind](anatomy, inside_mm, whole, radius, rng)
    along_gray, along_white = float(rng.uniform(0, 0.7)), float(rng.uniform(0.6, 1.1))
    spread = along_gray * anatomy.gray + along_white * anatomy.white + 0.12 * _field(anatomy, 14.0, rng)
    around = _soft(reach_mm * spread.clamp(0, 1.2) + inside_mm, float(rng.uniform(1.5, 10)))
    infiltration = torch.maximum(around, _soft(inside_mm, edge_mm)) * gate * (1.6 * matter - 0.4).clamp(0, 1)
    return anatomy, torch.stack([core, infiltration * (reach_mm > 0), enhancing])


Inside = tuple[Tensor, Tensor, float]


def _low_grade(anatomy: Anatomy, inside_mm: Tensor, whole: Tensor, radius: float, rng: Random) -> Inside:
    """No enhancement, or a nodule of it; a core of its own in some, infiltration alone in others."""
    enhancing = torch.zeros_like(whole)
    if rng.random() < 0.2:
        enhancing = whole * _soft(_field(anatomy, rng.uniform(6, 12), rng) - rng.uniform(1.0, 2.0), 0.5)
    if rng.random() < 0.35:
        return torch.zeros_like(whole), enhancing, max(float(rng.uniform(0, 8)), 0.1)
    left = float(rng.uniform(0, 0.5)) * radius  # of the core's outer part is infiltration
    core = torch.minimum(whole, _soft(inside_mm - left, float(rng.uniform(1, 6))))
    return core * (1 - enhancing), enhancing, float(rng.uniform(0.1, 12))


def _ring(anatomy: Anatomy, inside_mm: Tensor, whole: Tensor, radius: float, rng: Random) -> Inside:
    """An enhancing rim around necrosis, thick here and thin there, and open in most."""
    rim = float(min(max(rng.uniform(0.2, 1.0) * radius * 0.45, 2.5), 9.0))
    rim_mm = rim * (1 + 0.5 * _field(anatomy, 9.0, rng)).clamp_min(0.3)
    necrosis = torch.minimum(_soft(inside_mm - rim_mm, 2.0), whole)
    closed = _soft(_field(anatomy, rng.uniform(8, 20), rng) + rng.uniform(-0.2, 3.2), 0.6)
    enhancing = (whole - necrosis) * closed
    return whole - enhancing, enhancing, float(rng.uniform(0.1, 28))


def _patchy(anatomy: Anatomy, inside_mm: Tensor, whole: Tensor, radius: float, rng: Random) -> Inside:
    """Enhancement in patches, or all through."""
    on = _soft(
        _field(anatomy, rng.uniform(4, 14), rng) + rng.uniform(-1.2, 1.8), float(rng.uniform(0.3, 1.2))
    )
    return whole * (1 - on), whole * on, float(rng.uniform(0.1, 24))


_INSIDES = {"low grade": _low_grade, "ring": _ring, "patchy": _patchy}


def _place(anatomy: Anatomy, radius: float, rng: Random) -> Tensor:
    """A voxel of gray or white matter, not at the very surface, millimetres."""
    deep = min(0.2 * radius, 5.0)
    found = ((anatomy.white + 0.5 * anatomy.gray > 0.4) & (anatomy.depth_mm >= deep)).nonzero()
    if not len(found):
        found = anatomy.brain.nonzero()
    bottom, top = found[:, 2].min(), found[:, 2].max()
    upper = found[found[:, 2] > bottom + 0.3 * (top - bottom)]  # seldom below the tentorium
    chosen = upper if len(upper) and rng.random() < 0.93 else found
    return chosen[int(rng.integers(len(chosen)))] * anatomy.spacing_mm


def _rho(anatomy: Anatomy, centre_mm: Tensor, radius: float, rng: Random) -> Tensor:
    stretch = torch.tensor(rng.normal(0, 0.25, 3), dtype=torch.float32).exp()
    radii = radius * stretch / stretch.prod() ** (1 / 3)
    turn, _ = torch.linalg.qr(torch.tensor(rng.normal(0, 1, (3, 3)), dtype=torch.float32))
    offsets = [axis - centre for axis, centre in zip(anatomy.axes_mm(), centre_mm, strict=True)]
    squared = torch.zeros(anatomy.shape, device=rng.device)
    for row, side in zip(turn, radii, strict=True):
        squared += ((row[0] * offsets[0] + row[1] * offsets[1] + row[2] * offsets[2]) / side) ** 2
    rough = _field(anatomy, max(0.8 * radius, 8.0), rng) + 0.4 * _field(anatomy, 6.0, rng)
    return squared.sqrt() + float(rng.uniform(0.08, 0.38)) * rough


def _field(anatomy: Anatomy, node_mm: float, rng: Random) -> Tensor:
    return field(anatomy.shape, float(node_mm) / anatomy.spacing_mm, rng)


def _soft(distance: Tensor, width: float) -> Tensor:
    """0 to 1 over a width about 0."""
    return (distance / max(width, 1e-3) + 0.5).clamp(0, 1)
