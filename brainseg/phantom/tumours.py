"""Tumours as nested level sets: necrosis within an enhancing rim within oedema, placed where each type grows.

A glioma may be operated on: a cavity full of CSF, open towards the surface of the brain, takes the place of
its core or of a part of it.

Each tumour is a field rho, 0 in its middle and 1 on the surface of its core, roughened by noise. Lengths are
millimetres of the subject, not of the atlas, so that a small head does not make a small tumour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.config.errors import GeometryError
from brainseg.images import mni
from brainseg.images.labels import EDEMA, ENHANCING_TUMOR, NECROTIC_CORE, RESECTION_CAVITY
from brainseg.phantom.atlas import head_atlas
from brainseg.phantom.fields import Bool, Float, random_stream, smooth_field
from brainseg.phantom.head import Head
from brainseg.phantom.lattice import LATTICE_MM
from brainseg.phantom.parts import Slices, Tissue

_Vector = NDArray[np.float64]
COMPLETE = 0.4  # share of the operated gliomas of which no core is left
WITHOUT_EDEMA = 0.5  # share of these around which there is no oedema any more: no tumour at all


@dataclass(frozen=True)
class Tumor:
    """One tumour in its head.

    Attributes:
        box: The part of the grid that holds it; the arrays have its shape.
        labels: uint8, classes 1 to 4.
        shares: (4, ...) float32 in 0 to 1: how much of each voxel is necrosis, oedema, enhancing tumour, and
            CSF: of the cleft around a tumour that grows outside the brain's tissue, or of a resection cavity.
        shift_mm: (3, brain voxels of the head): where the brain is looked up instead, because it gives way.
    """

    box: Slices
    labels: NDArray[np.uint8]
    shares: Float
    shift_mm: Float


@dataclass(frozen=True)
class _Place:
    """Where a tumour grows, in millimetres from the middle of the grid, and how large its core is."""

    centre_mm: _Vector
    radii_mm: _Vector
    frame: _Vector  # (3, 3), rows are the axes that the radii belong to

    @property
    def radius_mm(self) -> float:
        return float(np.cbrt(np.prod(self.radii_mm)))


def grow(
    seed: int, head: Head, tumor_type: str, gray: Float, white: Float, *, operated: bool = False
) -> Tumor | None:
    """A tumour of the given type, or None for `notumor`.

    Args:
        seed: The subject's.
        head: The healthy head.
        tumor_type: One of TUMOR_TYPES.
        gray: Fraction of grey matter at the head's brain voxels, before anything gives way.
        white: The same of white matter.
        operated: Whether a glioma was operated on; the other types never are.
    """
    if tumor_type == "notumor":
        return None
    rng = random_stream(seed, 10)
    if tumor_type == "glioma":
        return _glioma(seed, rng, head, gray, white, operated=operated)
    if tumor_type == "meningioma":
        return _meningioma(seed, rng, head, white)
    return _pituitary(seed, rng, head)


def _glioma(
    seed: int, rng: np.random.Generator, head: Head, gray: Float, white: Float, *, operated: bool
) -> Tumor:
    radius = _visible(rng.uniform(8, 26), head)
    stretch = np.exp(rng.normal(0, 0.2, 3))
    radii = radius * stretch / np.cbrt(stretch.prod())
    wall = rng.uniform(0.45, 1.0)
    place = _Place(_place_of(head, _deep_white_matter(rng, radius)), radii, _random_frame(rng))
    reach_mm = rng.uniform(4, 28)
    box = _box(head, place, margin_mm=reach_mm + 0.6 * radius + 4)
    tissue_depth = -head.brain_mm[box]
    rho = _roughened(seed, place, head, box, amplitude=rng.uniform(0.12, 0.3))
    matter = _in_box(head, box, gray + white)
    within = _ramp(tissue_depth, 0.5, head)
    core = _ramp((1 - rho) * radius, 0.0, head) * within
    uneven = np.clip(0.45 * _noise(seed, 12, 9.0, head, box), -0.4, 1.0)
    rim_mm = np.clip(wall * radius * 0.45, 2.5, 9.0) * (1 + uneven)
    necrosis = np.minimum(_ramp((1 - rho) * radius - rim_mm, 0.0, head), core)
    spread = reach_mm * np.clip(
        _in_box(head, box, white) * 1.15 - 0.1 + 0.12 * _noise(seed, 13, 14.0, head, box), 0, 1.2
    )
    edema = _ramp(spread - (rho - 1) * radius, 0.0, head) * within * np.clip(matter * 1.6 - 0.5, 0, 1)
    edema = np.where(_attached(edema + core > 0.5, core > 0.5), edema, 0) * (1 - core)
    push = rng.uniform(0.15, 0.5)
    if operated:
        return _operated(seed, head, place, box, (core, necrosis, edema))
    return _assemble(head, place, box, core, necrosis, edema, np.zeros_like(core), push=push)


def _operated(seed: int, head: Head, place: _Place, box: Slices, grown: tuple[Float, Float, Float]) -> Tumor:
    """What surgery leaves of a core with its necrosis and oedema: a cavity, and in most heads a rest."""
    core, necrosis, edema = grown
    rng = random_stream(seed, 15)
    complete = bool(rng.random() < COMPLETE)
    left_mm = float(rng.uniform(-0.3, 0.4)) * place.radius_mm  # from the middle, where a rest begins
    outwards = _outwards(head, place.centre_mm)
    x, y, z = _offsets(head, box, place.centre_mm)
    height = x * np.float32(outwards[0]) + y * np.float32(outwards[1]) + z * np.float32(outwards[2])
    off_axis = np.sqrt(np.maximum(x * x + y * y + z * z - height * height, 0))
    within = _ramp(-head.brain_mm[box], 0.0, head)
    # The way that the surgeon took, from the middle of the tumour to the surface of the brain.
    way = _ramp(np.float32(0.45 * place.radius_mm) - off_axis, 0.0, head) * (height > 0) * within
    taken = core if complete else core * _ramp(height, -left_mm, head)
    cavity = np.maximum(taken, way)
    rest = np.minimum(core, 1 - cavity)
    necrosis = np.minimum(necrosis, rest)
    edema = np.minimum(edema, 1 - cavity - rest)
    if complete:
        rest, necrosis = np.zeros_like(core), np.zeros_like(core)
        if rng.random() < WITHOUT_EDEMA:
            edema = np.zeros_like(core)
    return _assemble(head, place, box, rest, necrosis, edema, cavity, push=0.0, cavity=cavity)


def _outwards(head: Head, place_mm: _Vector) -> _Vector:
    """The direction in which the surface of the brain is nearest, of length 1."""
    index = _nearest(head, place_mm)
    slope = np.array([_slope(head, index, axis) for axis in range(3)])
    return slope / max(float(np.sqrt((slope**2).sum())), 1e-6)


def _meningioma(seed: int, rng: np.random.Generator, head: Head, white: Float) -> Tumor:
    radius = _visible(rng.uniform(7, 24), head)
    surface, inward = _on_the_dura(rng, head)
    frame = _frame_along(inward, rng)
    radii = radius * np.array([rng.uniform(0.75, 1.0), rng.uniform(0.95, 1.2), rng.uniform(0.95, 1.2)])
    place = _Place(surface + inward * radii[0] * rng.uniform(0.35, 0.75), radii, frame)
    swollen_mm = rng.uniform(3, 14) if rng.random() < 0.45 else 0.0
    dead = rng.uniform(0.25, 0.45) if rng.random() < 0.12 else 0.0
    box = _box(head, place, margin_mm=swollen_mm + 0.3 * radius + 5)
    rho = _roughened(seed, place, head, box, amplitude=rng.uniform(0.03, 0.1))
    within = _ramp(-head.brain_mm[box], 0.0, head)
    core = _ramp((1 - rho) * radius, 0.0, head) * within
    necrosis = np.minimum(_ramp((dead - rho) * radius, 0.0, head), core) if dead else np.zeros_like(core)
    cleft = _ramp((1 - rho) * radius + rng.uniform(0.5, 1.6), 0.0, head) * within * (1 - core)
    cleft = cleft * np.float32(rng.uniform(0.2, 0.9))
    spread = swollen_mm * np.clip(_in_box(head, box, white) * 1.3, 0, 1)
    edema = _ramp(spread - (rho - 1) * radius - 2.0, 0.0, head) * within * (1 - core) * (1 - cleft)
    if not swollen_mm:
        edema = np.zeros_like(core)
    return _assemble(head, place, box, core, necrosis, edema, cleft, push=rng.uniform(0.4, 0.6))


def _pituitary(seed: int, rng: np.random.Generator, head: Head) -> Tumor:
    radius = _visible(rng.uniform(7, 16), head)  # 14 to 32 mm across, which slices show well
    gland = _place_of(head, np.array(mni.SELLA))
    radii = radius * np.array([rng.uniform(0.9, 1.15), rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.3)])
    centre = gland + np.array([rng.normal(0, 1.0), rng.normal(0, 1.0), 0.55 * (radius - 4)])
    place = _Place(centre, radii, np.eye(3))
    dead = rng.uniform(0.3, 0.6) if rng.random() < 0.15 else 0.0
    box = _box(head, place, margin_mm=0.3 * radius + 14)
    rho = _roughened(seed, place, head, box, amplitude=rng.uniform(0.03, 0.12))
    # Half above the sella the dura's ring narrows it: the figure of eight of large adenomas.
    z = head.lattice.axes_mm[2][box[2]] - gland[2]
    waist = (0.22 * np.maximum(0, 1 - np.abs(z - 4.5) / 3.5) * (radius > 9)).astype(np.float32)
    core = _ramp((1 - rho - waist) * radius, 0.0, head)
    core = core * (head.tissue[box] != Tissue.AIR)
    necrosis = np.minimum(_ramp((dead - rho) * radius, 0.0, head), core) if dead else np.zeros_like(core)
    return _assemble(head, place, box, core, necrosis, np.zeros_like(core), np.zeros_like(core), push=0.45)


def _visible(radius_mm: float, head: Head) -> float:
    """No smaller than 1.3 voxels, or a coarse grid might miss the tumour."""
    return max(radius_mm, 1.3 * max(head.lattice.spacing_mm))


def _assemble(
    head: Head,
    place: _Place,
    box: Slices,
    core: Float,
    necrosis: Float,
    edema: Float,
    cleft: Float,
    push: float,
    cavity: Float | None = None,
) -> Tumor:
    enhancing = core - necrosis
    shares = np.stack([necrosis, edema, enhancing, cleft]).astype(np.float32)
    classes = np.array([NECROTIC_CORE, EDEMA, ENHANCING_TUMOR], dtype=np.uint8)
    labels = np.where(shares[:3].sum(axis=0) > 0.5, classes[shares[:3].argmax(axis=0)], 0).astype(np.uint8)
    if cavity is not None:
        labels[cavity > 0.5] = RESECTION_CAVITY
    return Tumor(box, labels, shares, _shift(head, place, push))


def _shift(head: Head, place: _Place, push: float) -> Float:
    """Where the brain is looked up: at distance d of the centre, at d (1 - push / (1 + (d / 1.2 R)^2)).

    Nothing moves at the skull.
    """
    index = np.unravel_index(head.voxels, head.lattice.shape)
    offset = np.stack(
        [
            (axis - c).astype(np.float32)[i]
            for axis, c, i in zip(head.lattice.axes_mm, place.centre_mm, index, strict=True)
        ]
    )
    squared = offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2]
    amount = np.float32(push) / (1 + squared / np.float32((1.2 * place.radius_mm) ** 2))
    amount *= np.clip(-head.brain_mm.ravel()[head.voxels] / np.float32(8.0), 0, 1)
    return np.asarray(-offset * amount, dtype=np.float32)


def _deep_white_matter(rng: np.random.Generator, radius: float) -> _Vector:
    """An MNI place in the white matter of the hemispheres, as deep as the tumour is large, 20 mm at most."""
    atlas = head_atlas()
    step = 4  # of the template's millimetres: thousands of places are enough to choose from
    found = np.argwhere(atlas.white[::step, ::step, ::step] > 0.8) * float(step) + atlas.brain_origin
    x, y, z = found.T
    node = np.rint((found - atlas.lattice_origin) / LATTICE_MM).astype(np.intp)
    depth = -atlas.brain_mm[tuple(node.T)]
    cerebrum = (z > -12) | ((y > -25) & (z > -30) & (np.abs(x) > 25))
    suitable = found[cerebrum & (np.abs(x) > 9) & (depth > min(0.8 * radius, 20.0))]
    return np.asarray(suitable[int(rng.integers(len(suitable)))], dtype=np.float64)


def _on_the_dura(rng: np.random.Generator, head: Head) -> tuple[_Vector, _Vector]:
    """A place on the surface of the brain mask, millimetres from the grid's middle, and the way inwards."""
    atlas = head_atlas()
    found = np.argwhere(np.abs(atlas.brain_mm) < 0.8) * LATTICE_MM + atlas.lattice_origin
    _, y, z = found.T
    convexity = (z > 5) | ((z > -12) & (y > 45))
    behind = (y < -75) & (z < -25) & (z > -52)
    suitable = found[convexity | behind]
    place = _place_of(head, suitable[int(rng.integers(len(suitable)))])
    index, outwards = _nearest(head, place), _outwards(head, place)
    at_voxel = np.array([axis[i] for axis, i in zip(head.lattice.axes_mm, index, strict=True)])
    height = float(head.brain_mm[index]) + float(((place - at_voxel) * outwards).sum())
    return place - outwards * height, -outwards


def _place_of(head: Head, mni: _Vector) -> _Vector:
    """Where an MNI place lies in the subject, millimetres from the grid's middle.

    Raises:
        GeometryError: The grid does not reach there.
    """
    sparse = tuple(slice(None, None, max(1, round(8.0 / s))) for s in head.lattice.spacing_mm)
    far = sum((m[sparse] - np.float32(p)) ** 2 for m, p in zip(head.mni, mni, strict=True))
    start = np.unravel_index(int(np.argmin(far)), np.shape(far))
    place = np.array([a[s][i] for a, s, i in zip(head.lattice.axes_mm, sparse, start, strict=True)])
    for _ in range(4):  # the head is bent so little that steps of the mean size converge
        index = _nearest(head, place)
        missing = np.array([p - float(m[index]) for m, p in zip(head.mni, mni, strict=True)])
        at_voxel = np.array([axis[i] for axis, i in zip(head.lattice.axes_mm, index, strict=True)])
        place = at_voxel + 0.9 * missing
    reach = [abs(float(axis[0])) + 10 for axis in head.lattice.axes_mm]
    if any(abs(p) > r for p, r in zip(place, reach, strict=True)):
        raise GeometryError(
            f"the tumour's place, {np.rint(place).tolist()} mm from the middle of the grid, is outside its "
            f"{np.round(2 * np.array(reach) - 20).tolist()} mm; give a grid that holds the brain"
        )
    return place


def _nearest(head: Head, place_mm: _Vector) -> tuple[int, int, int]:
    x, y, z = (int(np.argmin(np.abs(a - p))) for a, p in zip(head.lattice.axes_mm, place_mm, strict=True))
    return x, y, z


def _slope(head: Head, index: tuple[int, int, int], axis: int) -> float:
    """Slope of the distance to the brain's surface along an axis, over about 6 mm."""
    n = max(1, round(3.0 / head.lattice.spacing_mm[axis]))
    high, low = list(index), list(index)
    high[axis] = min(index[axis] + n, head.lattice.shape[axis] - 1)
    low[axis] = max(index[axis] - n, 0)
    rise = float(head.brain_mm[tuple(high)]) - float(head.brain_mm[tuple(low)])
    return rise / (high[axis] - low[axis]) / head.lattice.spacing_mm[axis]


def _random_frame(rng: np.random.Generator) -> _Vector:
    return _frame_along(rng.normal(0, 1, 3), rng)


def _frame_along(direction: _Vector, rng: np.random.Generator) -> _Vector:
    """Three right angles, the first along `direction`, turned at random about it. By Gram and Schmidt."""
    first = direction / np.sqrt((direction**2).sum())
    second = rng.normal(0, 1, 3)
    second = second - first * (second * first).sum()
    second = second / np.sqrt((second**2).sum())
    return np.stack([first, second, np.cross(first, second)])


def _box(head: Head, place: _Place, margin_mm: float) -> Slices:
    reach = float(place.radii_mm.max()) + margin_mm
    slices = []
    for axis, centre, n in zip(head.lattice.axes_mm, place.centre_mm, head.lattice.shape, strict=True):
        inside = np.flatnonzero(np.abs(axis - centre) <= reach)
        slices.append(slice(int(inside[0]), min(int(inside[-1]) + 1, n)))
    return slices[0], slices[1], slices[2]


def _offsets(head: Head, box: Slices, centre_mm: _Vector) -> list[Float]:
    """Distance from the centre along R, A and S, ready to broadcast."""
    shapes = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
    return [
        (head.lattice.axes_mm[a][box[a]] - centre_mm[a]).astype(np.float32).reshape(shapes[a])
        for a in range(3)
    ]


def _roughened(seed: int, place: _Place, head: Head, box: Slices, amplitude: float) -> Float:
    x, y, z = _offsets(head, box, place.centre_mm)
    squared = np.zeros(tuple(s.stop - s.start for s in box), dtype=np.float32)
    for row, radius in zip(place.frame, place.radii_mm, strict=True):
        u = (
            x * np.float32(row[0] / radius)
            + y * np.float32(row[1] / radius)
            + z * np.float32(row[2] / radius)
        )
        squared += u * u
    coarse = _noise(seed, 11, max(0.8 * place.radius_mm, 8.0), head, box)
    fine = _noise(seed, 14, 6.0, head, box)
    return np.asarray(np.sqrt(squared) + np.float32(amplitude) * (coarse + np.float32(0.4) * fine))


def _noise(seed: int, purpose: int, node_mm: float, head: Head, box: Slices) -> Float:
    axes = [axis[s] for axis, s in zip(head.lattice.axes_mm, box, strict=True)]
    return smooth_field(random_stream(seed, purpose), node_mm, axes)


def _in_box(head: Head, box: Slices, values: Float) -> Float:
    """Values at the brain voxels as an array of the box, 0 elsewhere."""
    full = np.zeros(head.lattice.shape, dtype=np.float32)
    full.ravel()[head.voxels] = values
    return full[box]


def _ramp(distance_mm: Float, at_mm: float, head: Head) -> Float:
    """Share of a voxel that lies inside a surface, from its distance to it (positive inside)."""
    width = np.float32(max(1.0, float(np.mean(head.lattice.spacing_mm))))
    return np.asarray(
        np.clip((distance_mm - np.float32(at_mm)) / width + np.float32(0.5), 0, 1), dtype=np.float32
    )


def _attached(mask: Bool, seed_mask: Bool) -> Bool:
    """The parts of `mask` that touch `seed_mask`."""
    parts, _ = ndimage.label(mask)
    keep = np.unique(parts[seed_mask])
    return np.isin(parts, keep[keep > 0])
