"""One synthetic patient: images of every sequence, and the exact truth about brain, tumour and its type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config.choices import SEQUENCES, TUMOR_TYPES, Contrast
from brainseg.config.errors import ConfigError, GeometryError
from brainseg.images.labels import CLASSES
from brainseg.images.volume import Grid, from_ras, ras_grid
from brainseg.phantom.contrast import (
    draw_scanner,
    random_look,
    realistic_look,
    render,
    scan,
)
from brainseg.phantom.fields import Bool, Float, random_stream
from brainseg.phantom.head import Pose, brain_fractions, build_head
from brainseg.phantom.lattice import Lattice
from brainseg.phantom.tumours import grow

# Right-left, front-back and up-down: a whole head with the top of the neck.
FIELD_OF_VIEW_MM = (192.0, 224.0, 192.0)
# The head in that field of view: the brain's middle lies this far from the grid's.
WHOLE_HEAD = Pose(offset_mm=(0.0, -12.0, 16.0))


@dataclass(frozen=True)
class PhantomSubject:
    """A synthetic patient.

    Attributes:
        id: As given or made from the seed.
        tumor_type: glioma, meningioma, notumor or pituitary.
        grid: The grid of all arrays below, (X, Y, Z).
        images: Each sequence, float32, not negative.
        brain: The brain with its outer CSF, the sella, its tumour, and the cavity of an operated one.
        labels: uint8, 0 background, 1 necrotic core, 2 edema, 3 enhancing tumour, 4 resection cavity; all
            inside `brain`.
    """

    id: str
    tumor_type: str
    grid: Grid
    images: dict[str, Float]
    brain: Bool
    labels: NDArray[np.uint8]


def make_subject(
    seed: int,
    *,
    tumor_type: str | None = None,
    grid: Grid | None = None,
    spacing_mm: float | tuple[float, float, float] = 1.0,
    sequences: Sequence[str] = SEQUENCES,
    contrast: Contrast = "realistic",
    pose: Pose = WHOLE_HEAD,
    operated: bool = False,
    id: str | None = None,
) -> PhantomSubject:
    """A synthetic patient; the same arguments give the same bits in any process, on any number of threads.

    Args:
        seed: Decides everything that is drawn.
        tumor_type: One of the four types; None draws one.
        grid: Where the voxels shall lie, in any orientation along the axes; None for FIELD_OF_VIEW_MM in RAS.
        spacing_mm: Voxel size where no grid is given, along R, A and S if three.
        sequences: Which images to make; leaving some out does not change the others.
        contrast: "realistic" looks like the sequences; "random" gives every tissue any intensity.
        pose: How the head lies in the grid, and how much it may be turned, scaled and bent.
        operated: Whether a glioma is seen after surgery, with a resection cavity and perhaps no tumour left.
        id: The subject's name.

    Raises:
        ConfigError: An unknown tumour type, sequence or contrast.
        GeometryError: The grid is oblique.
    """
    _check(tumor_type, sequences, contrast)
    if tumor_type is None:
        tumor_type = TUMOR_TYPES[int(random_stream(seed, 30).integers(len(TUMOR_TYPES)))]
    grid = head_grid(spacing_mm) if grid is None else grid
    lattice = _lattice(grid)
    painted, parts = lattice.thin()
    head = build_head(seed, painted, pose)
    gray, white = brain_fractions(head, seed)
    tumor = grow(seed, head, tumor_type, gray, white, operated=operated)
    brain, labels = head.brain.copy(), np.zeros(painted.shape, dtype=np.uint8)
    if tumor is not None:
        labels[tumor.box] = tumor.labels
        brain[tumor.box] |= tumor.labels > 0
        gray, white = brain_fractions(head, seed, tumor.shift_mm)
    images = {}
    for sequence in sequences:
        look = (realistic_look if contrast == "realistic" else random_look)(seed, sequence, tumor_type)
        image = _slice_mean(render(seed, head, tumor, gray, white, look, sequence), parts)
        images[sequence] = scan(seed, image, lattice, draw_scanner(seed, sequence), sequence)
    labels = _most_common(labels, parts)
    brain = (_slice_mean(brain.astype(np.float32), parts) > 0.5) | (labels > 0)
    return PhantomSubject(
        id=f"phantom-{seed}" if id is None else id,
        tumor_type=tumor_type,
        grid=grid,
        images={name: _stored(image, grid) for name, image in images.items()},
        brain=_stored(brain, grid),
        labels=_stored(labels, grid),
    )


def _slice_mean(image: Float, parts: tuple[int, int, int]) -> Float:
    """The mean of the thin slices that make each thick one: the partial volume of thick slices."""
    for axis, n in enumerate(parts):
        if n > 1:
            shape = (*image.shape[:axis], image.shape[axis] // n, n, *image.shape[axis + 1 :])
            image = np.asarray(image.reshape(shape).mean(axis=axis + 1, dtype=np.float64), dtype=np.float32)
    return image


def _most_common(labels: NDArray[np.uint8], parts: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The class that fills most of each thick voxel."""
    if parts == (1, 1, 1):
        return labels
    share = np.stack(
        [_slice_mean((labels == value).astype(np.float32), parts) for value in range(len(CLASSES))]
    )
    return np.asarray(share.argmax(axis=0), dtype=np.uint8)


def head_grid(spacing_mm: float | tuple[float, float, float]) -> Grid:
    """The default field of view in RAS, with its middle at the world's origin."""
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3)
    shape = np.ceil(np.array(FIELD_OF_VIEW_MM) / spacing - 1e-6).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * (shape - 1) / 2
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _lattice(grid: Grid) -> Lattice:
    ras = ras_grid(grid)
    matrix = ras.affine[:3, :3]
    if not np.allclose(matrix, np.diag(np.diag(matrix)), atol=1e-4 * np.abs(matrix).max()):
        raise GeometryError(
            f"phantoms need a grid along the world's axes, this one is oblique: {matrix.round(4).tolist()}; "
            "make the phantom on an upright grid and turn the head with pose.rotation_sd_deg"
        )
    return Lattice(ras.shape, ras.spacing_mm)


def _stored(array: NDArray[Any], grid: Grid) -> NDArray[Any]:
    return np.ascontiguousarray(from_ras(array[None], grid)[0])


def _check(tumor_type: str | None, sequences: Sequence[str], contrast: str) -> None:
    if tumor_type is not None and tumor_type not in TUMOR_TYPES:
        raise ConfigError(
            f"tumor_type is {tumor_type!r}; it must be one of {', '.join(TUMOR_TYPES)}, or None to draw"
        )
    unknown = [s for s in sequences if s not in SEQUENCES]
    if unknown:
        raise ConfigError(f"sequences has {unknown[0]!r}; phantoms have {', '.join(SEQUENCES)}")
    if contrast not in ("realistic", "random"):
        raise ConfigError(f"contrast is {contrast!r}; it must be realistic or random")
