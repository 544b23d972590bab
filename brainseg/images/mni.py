"""The MNI152 template: places in it that several rooms need, and its maps.

Positions are millimetres along R, A and S in MNI space. The maps come from nilearn. Those of STORED_MM, which
every prediction needs, stand beside this file as well, since nilearn takes two seconds for them; their
licence stands in mni152_4mm.txt.
"""

# mypy: allow-untyped-calls
# (nilearn is untyped)

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SELLA = (0.0, 3.0, -33.0)  # the sella turcica, where the pituitary gland lies
BRAIN_CENTRE = (0.0, -17.0, 6.0)
STORED_MM = 4
STORED = Path(__file__).with_name("mni152_4mm.npz")


@dataclass(frozen=True)
class Maps:
    """The template as arrays (X, Y, Z) in RAS.

    Attributes:
        brain: The brain mask.
        gray, white: Fractions of grey and white matter, 0 to 1.
        origin: (3,), MNI position of the first voxel.
    """

    brain: NDArray[np.bool_]
    gray: NDArray[np.float32]
    white: NDArray[np.float32]
    origin: NDArray[np.float64]


def load(step_mm: int) -> Maps:
    """The template in voxels of `step_mm`; those of STORED_MM are read at once, others take seconds."""
    if step_mm != STORED_MM:
        return resampled(step_mm)
    with np.load(STORED, allow_pickle=False) as stored:
        return Maps(stored["brain"], stored["gray"], stored["white"], stored["origin"])


def resampled(step_mm: int) -> Maps:
    """The template as nilearn has it, resampled to voxels of `step_mm`."""
    import nilearn.datasets  # seconds to import, and only needed here

    loads = (
        nilearn.datasets.load_mni152_brain_mask,
        nilearn.datasets.load_mni152_gm_template,
        nilearn.datasets.load_mni152_wm_template,
    )
    with ThreadPoolExecutor(len(loads)) as threads:  # scipy lets go of the interpreter
        images = list(threads.map(lambda load: load(resolution=step_mm), loads))
    gray, white = (np.ascontiguousarray(image.dataobj, dtype=np.float32) for image in images[1:])
    origin = np.asarray(images[0].affine, dtype=np.float64)[:3, 3]
    return Maps(np.asarray(images[0].dataobj) > 0, gray, white, origin)
