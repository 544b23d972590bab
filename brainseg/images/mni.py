"""The MNI152 template: places in it that several rooms need, and its maps as nilearn ships them.

Positions are millimetres along R, A and S in MNI space.
"""

# mypy: allow-untyped-calls
# (nilearn is untyped)

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SELLA = (0.0, 3.0, -33.0)  # the sella turcica, where the pituitary gland lies
BRAIN_CENTRE = (0.0, -17.0, 6.0)


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
    """The template in voxels of `step_mm`; read and resampled at each call, which takes seconds at 1 mm."""
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
