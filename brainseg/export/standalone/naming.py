"""The tumour type of a whole brain."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainseg.export.standalone.networks import Model, softmax
from brainseg.export.standalone.outlining import as_shown
from brainseg.export.standalone.voxels import Array, Fault, Volume


def in_cube(image: Array, side: int) -> Array:
    """The cube about the middle of what is not 0 in a scan (C, X, Y, Z), with zeros around it, or cut off."""
    for axis in range(1, 4):
        others = tuple(a for a in range(4) if a != axis)
        filled = np.flatnonzero((image != 0).any(axis=others))
        first, last = (filled[0], filled[-1]) if len(filled) else (0, image.shape[axis] - 1)
        start = int((first + last + 1 - side) // 2)
        before, after = max(-start, 0), max(start + side - image.shape[axis], 0)
        image = np.pad(image, [(before, after) if a == axis else (0, 0) for a in range(4)])
        image = image.take(range(max(start, 0), max(start, 0) + side), axis)
    return image


def name_type(model: Model, volume: Volume, names: Sequence[str], brain: Array | None) -> dict[str, Any]:
    """The verdict and the calibrated probabilities of a scan (C, X, Y, Z) without its skull."""
    about = model.json
    if brain is None:
        raise Fault("the classifier learnt from brains without skull; give --stripper DIR or --brain MASK")
    _, image, present, _ = as_shown(model, volume, names, brain)
    cube = in_cube(image, about["side"])[None]
    logits = model.logits(model.networks[0], cube, present)[0].astype(np.float64)
    found = softmax(logits / about["temperature"])
    p = dict(zip(about["classes"], found.tolist(), strict=True))
    return {"verdict": verdict_of(p, about["healthy_at"]), "probabilities": p}


def verdict_of(p: dict[str, float], healthy_at: float) -> str:
    """Notumor from a probability on, else the likeliest tumour."""
    tumors = {name: share for name, share in p.items() if name != "notumor"}
    healthy = not tumors or p.get("notumor", 0.0) >= healthy_at
    return "notumor" if healthy else max(tumors, key=lambda name: tumors[name])
