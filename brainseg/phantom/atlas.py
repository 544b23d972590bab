"""The head that all subjects are made from: the MNI152 brain, and a skull and a face built around it.

The brain comes from the grey and white matter maps that nilearn carries; all else is geometry. Positions are
MNI millimetres along R, A, S.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.images import mni
from brainseg.phantom.fields import Bool, Float
from brainseg.phantom.lattice import LATTICE_MM


@dataclass(frozen=True)
class HeadAtlas:
    """The MNI152 brain with a head around it, before any deformation.

    Attributes:
        gray, white: Fractions on the template's 1 mm grid.
        brain_origin: MNI position of the first voxel of those grids.
        lattice_origin: MNI position of the first node of the maps below, whose step is LATTICE_MM.
        brain_mm: Distance to the brain's outer surface, negative inside, millimetres.
        cavity_mm: The same for the cavity of the skull.
        face_mm: The same for the skin of face, neck and ears.
    """

    gray: Float
    white: Float
    brain_origin: NDArray[np.float64]
    lattice_origin: NDArray[np.float64]
    brain_mm: Float
    cavity_mm: Float
    face_mm: Float


@lru_cache(maxsize=1)
def head_atlas() -> HeadAtlas:
    """The atlas; the first call of a process builds it, in about 3 s, and later ones get the same."""
    maps = mni.load(1)
    first, last = np.array([-112.0, -142.0, -220.0]), np.array([112.0, 130.0, 116.0])
    shape = tuple(((last - first) / LATTICE_MM).astype(int) + 1)
    brain = _on_lattice(maps.brain, maps.origin, first, shape)
    brain_mm = signed_distance(brain)
    # Closing by 9 mm bridges the fissures, the cisterns and the brainstem.
    swollen = signed_distance(brain_mm < 9.0)
    cavity_mm = signed_distance(swollen < -9.0)
    axes = [first[a] + LATTICE_MM * np.arange(shape[a]) for a in range(3)]
    face_mm = ndimage.gaussian_filter(signed_distance(_face(axes)), 1.0)
    cavity_mm = np.minimum(cavity_mm, brain_mm)
    return HeadAtlas(maps.gray, maps.white, maps.origin, first, brain_mm, cavity_mm, face_mm)


def _on_lattice(
    mask: Bool, origin: NDArray[np.float64], first: NDArray[np.float64], shape: tuple[int, ...]
) -> Bool:
    # Nodes fall on every second voxel of the template, as both origins are even numbers of millimetres apart.
    coarse = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)[::2, ::2, ::2] > 0.5
    coarse = ndimage.binary_fill_holes(coarse)
    start = ((origin - first) / LATTICE_MM).astype(int)
    lattice = np.zeros(shape, dtype=bool)
    stop = np.minimum(start + coarse.shape, shape)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    lattice[box] = coarse[tuple(slice(0, b - a) for a, b in zip(start, stop, strict=True))]
    return lattice


def signed_distance(mask: Bool) -> Float:
    """Distance to the surface of `mask` on a lattice, negative inside, millimetres; smooth below one step."""
    outside = ndimage.distance_transform_edt(~mask) - 0.5
    inside = ndimage.distance_transform_edt(mask) - 0.5
    distance = (np.where(mask, -inside, outside) * LATTICE_MM).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(distance, 0.6), dtype=np.float32)


def _face(axes_mm: Sequence[NDArray[np.float64]]) -> Bool:
    """Face, jaw, nose, ears, nape and neck as one solid."""
    solid = np.zeros(tuple(len(a) for a in axes_mm), dtype=bool)
    for centre, radii in (
        ((0, -15, -55), (73, 88, 62)),  # from the temples to the nape
        ((0, 38, -62), (60, 57, 58)),  # cheeks
        ((0, 35, -108), (46, 52, 36)),  # jaw
        ((0, 78, -128), (16, 12, 13)),  # chin
        ((0, 94, -58), (10, 14, 20)),  # nose
        ((0, 104, -66), (9, 10, 8)),
        ((80, -28, -44), (6, 13, 26)),  # ears
        ((-80, -28, -44), (6, 13, 26)),
    ):
        q = [((axes_mm[a] - centre[a]) / radii[a]) ** 2 for a in range(3)]
        solid |= q[0][:, None, None] + q[1][None, :, None] + q[2][None, None, :] < 1
    x, y, z = axes_mm
    middle = -42 + 0.12 * (z + 60)  # the neck leans forward on its way up
    neck = (x[:, None, None] / 58) ** 2 + ((y[None, :, None] - middle) / 62) ** 2 < 1
    shoulders = (x[:, None, None] / (58 + 1.5 * np.maximum(-165 - z, 0))) ** 2 + (
        (y[None, :, None] - middle) / 64
    ) ** 2 < 1
    return np.asarray(solid | ((neck | shoulders) & (z < -55)))
