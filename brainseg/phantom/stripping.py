"""Brains without skull as data sets have them: cut out a little too wide here, a little too tight there."""

import numpy as np
from scipy import ndimage

from brainseg.images.masks import with_margin
from brainseg.phantom.fields import Bool, random_stream, smooth_field
from brainseg.phantom.lattice import Lattice
from brainseg.phantom.subject import PhantomSubject

SOFTNESS_MM = 2.5  # how far the edge can move: a blurred mask is cut at a level that varies
NODE_MM = 30.0  # over which it varies
STREAM = 51


def cut_out(subject: PhantomSubject, seed: int, margin_mm: float = 0.0) -> Bool:
    """The voxels that stripping left, (X, Y, Z): brain and margin, their edge up to 3 mm off, all tumour.

    A model of stripped scans that has seen exact masks only takes whatever a real stripper leaves at the edge
    for tumour: dura, vessels, marrow.
    """
    rng = random_stream(seed, STREAM)
    spacing_mm = subject.grid.spacing_mm
    kept = with_margin(subject.brain, margin_mm, spacing_mm).astype(np.float32)
    blurred = ndimage.gaussian_filter(kept, [SOFTNESS_MM / s for s in spacing_mm], truncate=3)
    axes_mm = Lattice(subject.grid.shape, spacing_mm).axes_mm
    # Between 0.16 and 0.84 the edge lies within one SOFTNESS_MM of the true one.
    level = rng.uniform(0.2, 0.6) + 0.15 * smooth_field(rng, NODE_MM, axes_mm)
    return np.asarray((blurred > np.clip(level, 0.1, 0.85)) | (subject.labels > 0))
