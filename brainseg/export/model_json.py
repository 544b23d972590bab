"""What model.json says: how scans are prepared for a model and what is made of its answers, in plain values.

docs/how-to/export.md explains the keys to programs in other languages.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from brainseg.config import plain
from brainseg.config.choices import Crop, Intensity
from brainseg.config.defaults import default_vote, default_window
from brainseg.images.labels import classes_with
from brainseg.images.volume import Grid
from brainseg.inference.one_window import MOST_VALUES
from brainseg.nets import sees_its_window
from brainseg.prediction.classify import VOTE_ORDER
from brainseg.prediction.models import landmarks_of
from brainseg.prediction.segment import convention_of
from brainseg.preprocess.volumes import HEAD_MARGIN_MM, REPORT_SHAPE, report_box
from brainseg.trained import ClassifierModel, Ensemble, Model, SkullStripperModel, VolumeClassifierModel
from brainseg.trained.segmenter import MIRRORED

FORMAT = 1  # of model.json; a change that run.py of before cannot read raises it
Values = dict[str, Any]


def stripper_json(model: SkullStripperModel) -> Values:
    """How a skull stripper finds the brain; its only sequence is `any` where any will do."""
    return {
        "task": "skullstripper",
        "sequences": list(model.config.preprocess.modalities),
        "preparation": _preparation(model),
        "window": _window(model),
    }


def segmenter_json(model: Ensemble) -> Values:
    """How segmenters, one or more, outline the tumour."""
    first, convention = model.members[0], convention_of(None, model)
    names = classes_with(cavity=model.cavity)
    values: Mapping[int, int] = {index: value for value, index in reversed(list(convention.classes.items()))}
    flips = [list(axes) for axes in MIRRORED[default_window().flips]]
    return {
        "task": "segmenter",
        "sequences": list(model.config.preprocess.modalities),
        "subsets": model.subsets,
        "preparation": _preparation(first),
        "margin_mm": model.config.margin_mm,
        "window": _window(first) | {"flips": flips},
        "output": str(model.config.output),
        "classes": list(names),
        "regions": {name: list(members) for name, members in model.region_members.items()},
        "temperatures": model.temperatures,
        "cleaning": asdict(model.cleaning),
        "labels": {"convention": convention.name, "values": [values[k] for k in range(len(names))]},
    }


def classifier_json(model: ClassifierModel) -> Values:
    """How a classifier names the tumour type of a slice, and slices that of a scan."""
    preparation = plain(OmegaConf.structured(model.config.preprocess))
    return {
        "task": "classifier",
        "classes": list(model.config.classes),
        "preparation": preparation,
        "margin_mm": model.config.margin_mm,
        "temperature": model.temperature,
        "vote": plain(OmegaConf.structured(default_vote())) | {"order": list(VOTE_ORDER)},
    }


def volume_classifier_json(model: VolumeClassifierModel) -> Values:
    """How a classifier names the tumour type of a whole brain; its only sequence may be `any`."""
    return {
        "task": "volume_classifier",
        "sequences": list(model.config.preprocess.modalities),
        "subsets": model.subsets,
        "order": list(VOTE_ORDER),
        "preparation": _preparation(model),
        "margin_mm": model.config.margin_mm,
        "side": model.config.side,
        "classes": list(model.config.classes),
        "temperature": model.temperature,
        "healthy_at": default_vote().healthy_at,
    }


def _preparation(model: Model) -> Values:
    """How a scan is turned, cropped, resampled and scaled; landmarks by their sequence."""
    settings, landmarks = model.config.preprocess, landmarks_of(model)
    crop: Values = {"rule": str(settings.crop)}
    if settings.crop is Crop.head:
        crop["margin_mm"] = HEAD_MARGIN_MM
    if settings.crop is Crop.report:
        box = report_box(Grid(REPORT_SHAPE, np.eye(4)))
        crop |= {"shape": list(REPORT_SHAPE), "box": [[side.start, side.stop] for side in box]}
    marked = settings.intensity is Intensity.landmarks and landmarks is not None
    return {
        "orientation": "RAS",
        "spacing_mm": None if settings.spacing_mm is None else list(settings.spacing_mm),
        "crop": crop,
        "intensity": str(settings.intensity),
        "landmarks": dict(zip(settings.modalities, landmarks, strict=True)) if marked else None,
    }


def _window(model: Model) -> Values:
    """How the network is shown a whole scan; `one`: it takes all of it at once, up to so many voxels."""
    how, channels, one = default_window(), model.config.channels, None
    if not sees_its_window(model.net):
        one = {"multiple": 2 ** (len(channels) - 1), "most_voxels": MOST_VALUES // channels[0]}
    return {
        "sides": list(model.config.patch),
        "overlap": how.overlap,
        "blend": str(how.blend),
        "batch_size": how.batch_size,
        "one": one,
    }
