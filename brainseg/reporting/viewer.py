"""What the viewers of a report page show: volumes of one byte a voxel, and NiiVue's script for the 3-D view.

Volumes are written into the page as base64 of gzip, axis x running fastest as in NIfTI, with voxels of equal
sides, so that one scale holds in every plane.
"""

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.files.packed import SMALLEST, packed
from brainseg.images.regrid import positions_along
from brainseg.preprocess.resample import linear, nearest
from brainseg.reporting.montage import Scene

VOXELS = 8_000_000  # at most, of all sequences together: about 5 MB in the page
GREYS = 64  # more cannot be told apart on a screen, and fewer pack better
BRAIN = 16  # added to the class of a voxel in the brain mask


@dataclass(frozen=True)
class Script:
    """NiiVue as a module that exports `Niivue`, packed, with the licence that goes with it."""

    packed: str
    licence: str
    version: str


def volumes_of(scene: Scene) -> dict[str, Any]:
    """Plain values for the page: shape, spacing, where the planes meet, and each packed volume.

    A voxel of "overlay" holds its class, and `BRAIN` more inside the brain mask.
    """
    step = _step_mm(scene)
    x, y, z = (max(1, round(n * s / step)) for n, s in zip(scene.shape, scene.spacing_mm, strict=True))
    positions = [positions_along(n, step, side) for n, side in zip((x, y, z), scene.spacing_mm, strict=True)]
    overlay = np.zeros(scene.shape, np.uint8, order="F")
    if scene.labels is not None:
        overlay += scene.labels.astype(np.uint8)
    if scene.brain is not None:
        overlay += scene.brain.astype(np.uint8) * np.uint8(BRAIN)
    center = [
        min(n - 1, int((c + 0.5) * s / step))
        for n, c, s in zip((x, y, z), scene.center, scene.spacing_mm, strict=True)
    ]
    return {
        "shape": [x, y, z],
        "spacing_mm": round(step, 3),
        "center": center,
        "greys": GREYS,
        "brain": BRAIN,
        "sequences": {
            name: _packed(_in_steps(linear(grey.T[None], positions[::-1])[0]))
            for name, grey in scene.greys.items()
        },
        "overlay": _packed(nearest(overlay.T[None], positions[::-1])[0]),
        "has_tumor": bool(scene.labels is not None and scene.labels.any()),
        "has_brain": scene.brain is not None,
    }


@lru_cache(maxsize=1)
def niivue() -> Script | None:
    """NiiVue's script from the installed package ipyniivue, which is read and never imported.

    None if it is not installed, or is another version whose script is built in another way.
    """
    try:
        package = distribution("ipyniivue")
    except PackageNotFoundError:
        return None
    files = {str(file): file for file in package.files or ()}
    widget = files.get("ipyniivue/static/widget.js")
    licence = next((file for name, file in files.items() if name.endswith("LICENSE")), None)
    if widget is None or licence is None:
        return None
    text = widget.read_text(encoding="utf-8")
    # The bundle exports a notebook's widget only. What that makes is the viewer itself.
    made = re.search(r'Creating new Niivue instance"\);.{0,200}?=new (\w+)\(', text)
    exported = re.search(r"export\{\w+ as default\};?\s*$", text)
    if made is None or exported is None:
        return None
    module = text[: exported.start()] + f"export{{{made[1]} as Niivue}};"
    return Script(_packed_text(module), licence.read_text(encoding="utf-8"), package.version)


def _packed_text(text: str) -> str:
    return base64.b64encode(packed(text.encode(), SMALLEST)).decode()


def _step_mm(scene: Scene) -> float:
    """The side of a voxel: the scan's own finest, or coarser where all would be too many."""
    mm3 = float(np.prod(scene.shape) * np.prod(scene.spacing_mm)) * len(scene.greys)
    return max(min(scene.spacing_mm), float((mm3 / VOXELS) ** (1 / 3)))


def _in_steps(grey_ZYX: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Greys of 0 to 1 as whole numbers below `GREYS`."""
    steps = grey_ZYX * np.float32(GREYS - 1)
    return np.rint(steps, out=steps).astype(np.uint8)


def _packed(volume_ZYX: NDArray[np.generic]) -> str:
    return base64.b64encode(packed(volume_ZYX.tobytes())).decode()
