"""Intensities: how each tissue looks in T1, T1ce, T2 and FLAIR, or at random, and what the scanner adds.

Means are relative to white matter of T1, CSF of T2, and gray matter of FLAIR. They were set by eye and by
the ratios of real scans; they are no relaxometry.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.phantom.anatomy import Head, Lattice, Tissue
from brainseg.phantom.fields import Float, random_stream, smooth_field
from brainseg.phantom.tumours import Tumor

# Lowest and highest mean of each part in t1, t2 and flair, drawn evenly per subject; last, what gadolinium
# adds to t1.
_Range = tuple[float, float]
_RANGES: dict[str, tuple[_Range, _Range, _Range, _Range]] = {
    #              t1            t2            flair         gadolinium
    "air":        ((0.00, 0.01), (0.00, 0.01), (0.00, 0.01), (0.00, 0.00)),
    "skin":       ((0.55, 0.90), (0.20, 0.40), (0.30, 0.70), (0.05, 0.15)),
    "fat":        ((1.10, 2.90), (0.30, 1.40), (0.20, 1.20), (0.00, 0.00)),
    "muscle":     ((0.50, 0.75), (0.12, 0.25), (0.25, 0.45), (0.05, 0.15)),
    "bone":       ((0.04, 0.14), (0.02, 0.08), (0.04, 0.10), (0.00, 0.00)),
    "marrow":     ((0.50, 1.80), (0.20, 0.80), (0.20, 0.70), (0.00, 0.00)),
    "dura":       ((0.35, 0.55), (0.12, 0.25), (0.20, 0.40), (0.20, 0.70)),
    "vessel":     ((0.25, 0.50), (0.05, 0.20), (0.10, 0.30), (0.70, 1.30)),
    "mucosa":     ((0.50, 0.80), (0.60, 0.95), (0.70, 1.20), (0.40, 0.80)),
    "eye":        ((0.20, 0.35), (0.85, 1.10), (0.08, 0.20), (0.00, 0.00)),
    "lens":       ((0.50, 0.80), (0.10, 0.20), (0.30, 0.50), (0.00, 0.00)),
    "gland":      ((0.70, 1.00), (0.40, 0.60), (0.50, 0.90), (0.20, 0.40)),
    "csf":        ((0.20, 0.42), (0.90, 1.05), (0.08, 0.22), (0.00, 0.00)),
    "cord":       ((0.85, 1.00), (0.30, 0.42), (0.70, 0.85), (0.00, 0.00)),
    "pituitary":  ((0.70, 0.95), (0.40, 0.50), (0.70, 0.90), (0.35, 0.70)),
    "gray":       ((0.66, 0.86), (0.46, 0.56), (1.00, 1.00), (0.00, 0.00)),
    "white":      ((1.00, 1.00), (0.31, 0.40), (0.76, 0.88), (0.00, 0.00)),
    "necrosis":   ((0.38, 0.55), (0.65, 0.90), (0.50, 1.10), (0.00, 0.06)),
    "edema":      ((0.60, 0.74), (0.62, 0.78), (1.35, 1.80), (0.00, 0.00)),
    "enhancing":  ((0.60, 0.78), (0.45, 0.65), (0.95, 1.35), (0.50, 1.10)),
}  # fmt: skip
# Of enhancing tumour where it is not a glioma's.
_ENHANCING: dict[str, tuple[_Range, _Range, _Range, _Range]] = {
    "meningioma": ((0.65, 0.85), (0.42, 0.60), (0.85, 1.25), (0.60, 1.10)),
    "pituitary":  ((0.62, 0.85), (0.42, 0.65), (0.80, 1.10), (0.35, 0.75)),
}  # fmt: skip
_COLUMN = {"t1": 0, "t2": 1, "flair": 2}
_GADOLINIUM = 3


@dataclass(frozen=True)
class Look:
    """Mean intensity of each part in one sequence of one subject, and how uneven each is."""

    means: Mapping[str, float]
    unevenness: float


def realistic_look(seed: int, sequence: str, tumor_type: str) -> Look:
    """Means that look like the sequence; t1ce is the same subject's t1 plus what gadolinium adds."""
    ranges = dict(_RANGES)
    if tumor_type in _ENHANCING:
        ranges["enhancing"] = _ENHANCING[tumor_type]
    base = "t1" if sequence == "t1ce" else sequence
    rng = random_stream(seed, 20, SEQUENCES.index(base))
    means = {part: float(rng.uniform(*columns[_COLUMN[base]])) for part, columns in ranges.items()}
    if sequence == "t1ce":
        rng = random_stream(seed, 20, SEQUENCES.index("t1ce"))
        for part, columns in ranges.items():
            means[part] += float(rng.uniform(*columns[_GADOLINIUM]))
    return Look(means, unevenness=0.05)


def random_look(seed: int, sequence: str, tumor_type: str) -> Look:
    """Means drawn evenly from 0 to 1 for every part; bone and air are mostly dark, as in nearly all MRI."""
    rng = random_stream(seed, 21, SEQUENCES.index(sequence), TUMOR_TYPES.index(tumor_type))
    means = {part: float(rng.uniform(0.03, 1.0)) for part in _RANGES}
    for part, most, chance in (("air", 0.03, 1.0), ("bone", 0.2, 0.85)):
        if rng.random() < chance:
            means[part] = float(rng.uniform(0, most))
    return Look(means, unevenness=float(rng.uniform(0.02, 0.14)))


def render(
    seed: int, head: Head, tumor: Tumor | None, gray: Float, white: Float, look: Look, sequence: str
) -> Float:
    """The image (X, Y, Z) of one sequence before noise: tissue, unevenness, tumour."""
    table = np.array([look.means.get(t.name.lower(), 0.0) for t in Tissue], dtype=np.float32)
    image = table[head.tissue]
    m = {part: np.float32(value) for part, value in look.means.items()}
    image.ravel()[head.voxels] = m["csf"] + gray * (m["gray"] - m["csf"]) + white * (m["white"] - m["csf"])
    if tumor is not None:
        _add_tumor(seed, image[tumor.box], tumor, m, head)
    base = "t1" if sequence == "t1ce" else sequence  # enhancement aside, the two are one subject's
    uneven = smooth_field(random_stream(seed, 22, SEQUENCES.index(base)), 16.0, head.lattice.coarse().axes_mm)
    image *= head.lattice.refine(1 + np.float32(look.unevenness) * uneven)
    return image


def _add_tumor(seed: int, image: Float, tumor: Tumor, m: Mapping[str, np.float32], head: Head) -> None:
    axes = [axis[s] for axis, s in zip(head.lattice.axes_mm, tumor.box, strict=True)]
    mottled = 1 + np.float32(0.07) * smooth_field(random_stream(seed, 23), 5.0, axes)
    necrosis, edema, enhancing, cleft = tumor.shares
    rest = 1 - necrosis - edema - enhancing - cleft
    image *= rest
    image += cleft * m["csf"]
    image += mottled * (necrosis * m["necrosis"] + edema * m["edema"] + enhancing * m["enhancing"])


@dataclass(frozen=True)
class Scanner:
    """What a scan adds to the intensities of tissue.

    Attributes:
        gain: Scanner units of intensity 1.
        noise: Standard deviation of each Rician component, in intensity.
        bias: Standard deviation of the logarithm of the coil's sensitivity.
        blur_voxels: Width of the point spread, standard deviation in voxels.
    """

    gain: float
    noise: float
    bias: float
    blur_voxels: float


def draw_scanner(seed: int, sequence: str) -> Scanner:
    """T1 and T1ce share gain, bias and blur, as one session does; noise level is the sequence's."""
    base = "t1" if sequence == "t1ce" else sequence
    rng = random_stream(seed, 24, SEQUENCES.index(base))
    return Scanner(
        gain=float(rng.uniform(500, 1500)),
        noise=float(rng.uniform(0.01, 0.035)),
        bias=float(rng.uniform(0.03, 0.17)),
        blur_voxels=float(rng.uniform(0.35, 0.6)),
    )


def scan(seed: int, image: Float, lattice: Lattice, scanner: Scanner, sequence: str) -> Float:
    """Scanner units from intensities: point spread, coil sensitivity, Rician noise; never negative."""
    base = "t1" if sequence == "t1ce" else sequence
    field = smooth_field(random_stream(seed, 25, SEQUENCES.index(base)), 90.0, lattice.coarse().axes_mm)
    # On the lattice in float64 and back: float32 exponentials differ in the last bit between processors.
    sensitivity = np.exp(field.astype(np.float64) * scanner.bias).astype(np.float32)
    image = np.asarray(ndimage.gaussian_filter(image, scanner.blur_voxels, truncate=3.0), dtype=np.float32)
    image *= lattice.refine(sensitivity)
    rng = random_stream(seed, 26, SEQUENCES.index(sequence))
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(scanner.noise)
    image *= image
    quadrature = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(scanner.noise)
    quadrature *= quadrature
    image += quadrature
    np.sqrt(image, out=image)
    image *= np.float32(scanner.gain)
    return image
