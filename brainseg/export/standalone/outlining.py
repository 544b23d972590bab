"""The brain in a head, and the tumour in a brain."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from brainseg.export.standalone.networks import Model, sigmoid, softmax, whole
from brainseg.export.standalone.preparing import Prepared, prepare
from brainseg.export.standalone.voxels import (
    Array,
    Fault,
    Volume,
    filled,
    large,
    largest,
    linear,
    with_margin,
)

NECROTIC, EDEMA, ENHANCING, CAVITY = 1, 2, 3, 4  # class indices; 0 is background
LARGEST_BRAIN_ML, LEAST_EMPTY_SHARE = 2200.0, 0.35  # of a scan that came without skull


def brain_in(model: Model, head: Volume) -> Array:
    """The brain mask (X, Y, Z) of a head (1, X, Y, Z)."""
    about = model.json
    prepared = prepare(head, about["preparation"], about["sequences"])
    logits = whole(
        prepared.image, prepared.origin, about["window"], lambda x: model.logits(model.networks[0], x)
    )
    found = prepared.paste(linear(logits, prepared.covered()[1]), -np.inf)[0] > 0
    mask = filled(largest(found)) if found.any() else found
    if not mask.any():
        raise Fault("no brain was found in the scan; look at it")
    return np.asarray(mask)


def brain_if_stripped(volume: Volume) -> Array | None:
    """The voxels other than 0 of a scan that came without skull; None for a head."""
    full = volume.data[0] != 0
    if full.mean() > 1 - LEAST_EMPTY_SHARE or full.sum() * volume.voxel_ml > LARGEST_BRAIN_ML:
        return None
    return filled(largest(full))


def usable(about: Mapping[str, Any], there: Sequence[str]) -> list[str]:
    """The sequences that a model is shown: all that it knows, or the largest subset that it learnt."""
    known: list[list[str]] = [about["sequences"], *about["subsets"]]
    fitting = [names for names in known if set(names) <= set(there)]
    if not fitting:
        raise Fault(
            f"the scans are {', '.join(there)}, the {about['task'].replace('_', ' ')} knows "
            f"{'; or '.join(map(', '.join, known))}; add what is missing"
        )
    largest_known: list[str] = max(fitting, key=len)
    return largest_known


def as_shown(
    model: Model, volume: Volume, names: Sequence[str], brain: Array | None
) -> tuple[Prepared, Array, Array | None, Array | None]:
    """A scan (C, X, Y, Z) prepared, the image of all sequences, which are there, and the brain's margin."""
    about = model.json
    every = list(names) if about["sequences"] == ["any"] else about["sequences"]
    if brain is not None and about["margin_mm"]:
        brain = brain | (
            with_margin(brain, about["margin_mm"], volume.spacing) & (volume.data != 0).any(axis=0)
        )
    prepared = prepare(volume, about["preparation"], names, brain)
    image = np.zeros((len(every), *prepared.image.shape[1:]), dtype=np.float32)
    image[[every.index(name) for name in names]] = prepared.image
    present = np.array([name in names for name in every], dtype=np.float32) if about["subsets"] else None
    return prepared, image, present, brain


def segment(model: Model, volume: Volume, names: Sequence[str], brain: Array | None) -> tuple[Array, Array]:
    """Classes (X, Y, Z) and calibrated probabilities of the regions (R, X, Y, Z) of a scan (C, X, Y, Z)."""
    about = model.json
    prepared, image, present, brain = as_shown(model, volume, names, brain)
    found, n = np.zeros(1, dtype=np.float32), 0
    for network, axes in product(model.networks, about["window"]["flips"]):
        logits = whole(
            np.flip(image, axes),
            prepared.origin,
            about["window"],
            partial(model.logits, network, present=present),
        )
        found, n = (
            found + np.flip(sigmoid(logits) if about["output"] == "regions" else softmax(logits), axes),
            n + 1,
        )
    p = linear(np.asarray(found / np.float32(n)), prepared.covered()[1])
    inside = 1 if brain is None else prepared.cut(brain)
    members = about["regions"]
    if about["output"] == "regions":
        classes, regions = classes_of(p), p
    else:
        classes = p.argmax(axis=0)
        regions = np.stack([p[own].sum(axis=0) for own in members.values()])
    regions = np.clip(regions, np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps)
    warm = np.array([about["temperatures"][name] for name in members], dtype=np.float32)
    regions = sigmoid(np.log(regions / (1 - regions)) / warm[:, None, None, None])
    classes = prepared.paste((classes * inside)[None].astype(np.uint8))[0]
    return cleaned(classes, about["cleaning"], volume.voxel_ml), prepared.paste(
        (regions * inside).astype(np.float32)
    )


def classes_of(regions: Array) -> Array:
    """Class indices of region probabilities, each from one half on."""
    classes = np.zeros(regions.shape[1:], dtype=np.uint8)
    for one, index in zip(regions[:3], (EDEMA, NECROTIC, ENHANCING), strict=True):
        classes[one >= 0.5] = index
    for one in regions[3:]:
        classes[(one >= 0.5) & (one > regions[:3].max(axis=0))] = CAVITY
    return classes


def cleaned(classes: Array, rule: Mapping[str, Any], voxel_ml: float) -> Array:
    """Small parts to background, holes filled, and too little enhancing tumour to necrotic core."""
    cavity = classes == CAVITY
    if rule["least_part_ml"] and classes.any():
        voxels = int(np.ceil(rule["least_part_ml"] / voxel_ml))
        kept = large((classes > 0) & ~cavity, voxels) | large(cavity, voxels)
        classes = np.where(kept, classes, 0).astype(np.uint8)
    cavity = classes == CAVITY
    if rule["fill"] and classes.any():
        core = np.isin(classes, (NECROTIC, ENHANCING))
        classes = np.where(filled(core) & ~core & ~cavity, NECROTIC, classes)
        tumor = (classes > 0) & ~cavity
        classes = np.where(filled(tumor) & ~tumor & ~cavity, EDEMA, classes)
    if (classes == ENHANCING).sum() * voxel_ml < rule["least_enhancing_ml"]:
        classes = np.where(classes == ENHANCING, NECROTIC, classes)
    return classes.astype(np.uint8)
