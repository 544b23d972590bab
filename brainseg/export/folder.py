"""A folder with all that the use of a model takes without torch: ONNX, model.json and run.py."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainseg.checkpoint import load_model
from brainseg.config.errors import CheckpointError, ConfigError
from brainseg.export.joined import joined
from brainseg.export.model_json import (
    FORMAT,
    Values,
    classifier_json,
    segmenter_json,
    stripper_json,
    volume_classifier_json,
)
from brainseg.export.network import write_onnx
from brainseg.files.atomic import sha256, writing
from brainseg.nets import sees_its_window
from brainseg.prediction.members import load_ensemble
from brainseg.results.provenance import code
from brainseg.runs.models import checkpoints_of
from brainseg.trained import ClassifierModel, SkullStripperModel, VolumeClassifierModel

MODEL_JSON, PROGRAM = "model.json", "run.py"
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export(given: Path | Sequence[Path], folder: Path) -> list[Path]:
    """Write a model, or the segmenters that answer together, for programs without torch.

    Args:
        given: A checkpoint, a run's or sweep's folder, or several of these.
        folder: Made if it is not there; an earlier export in it is replaced.

    Returns:
        The files that were written.

    Raises:
        ConfigError: A package of the extra is missing, or the folder holds something else.
        CheckpointError: The model cannot be used, or several models are not segmenters.
    """
    refuse_early(folder)
    files = checkpoints_of(given)
    nets: list[nn.Module]
    shape: tuple[int, ...]
    first: Any = load_model(files[0])
    if len(files) > 1 and first.task != "segmenter":
        raise CheckpointError(
            f"{files[0]} is a {first.task}, of which one is exported at a time, and "
            f"{len(files)} were given; give one"
        )
    if isinstance(first, ClassifierModel):
        side = first.config.preprocess.size
        values, nets, shape, subsets = classifier_json(first), [first.net], (3, side, side), False
    elif isinstance(first, SkullStripperModel):
        values, nets, shape, subsets = stripper_json(first), [first.net], (1, *first.config.patch), False
    elif isinstance(first, VolumeClassifierModel):
        values, nets, subsets = volume_classifier_json(first), [first.net], bool(first.subsets)
        shape = (len(values["sequences"]), *(first.config.side,) * 3)
    else:
        model = load_ensemble([str(file) for file in files], torch.device("cpu"))
        values, nets = segmenter_json(model), [member.net for member in model.members]
        shape, subsets = (len(values["sequences"]), *model.config.patch), bool(model.subsets)
    folder.mkdir(parents=True, exist_ok=True)
    of_any_size = not isinstance(first, VolumeClassifierModel)  # which is shown one cube
    networks = _write_networks(nets, shape, folder, subsets=subsets, of_any_size=of_any_size)
    sources = [{"checkpoint": file.name, "sha256": sha256(file)} for file in files]
    about = {
        "format": FORMAT,
        "brainseg": code().version,
        **values,
        "networks": networks,
        "made_from": sources,
    }
    _write_text(folder / MODEL_JSON, json.dumps(about, indent=1) + "\n")
    _write_text(folder / PROGRAM, joined())
    return [*(folder / one["file"] for one in networks), folder / MODEL_JSON, folder / PROGRAM]


def refuse_early(folder: Path) -> None:
    """Before a model is loaded: the packages are there, and nothing of others is in the way.

    Raises:
        ConfigError: One of these is not so.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f'brainseg export needs {", ".join(missing)}; pip install "brainseg[export]"')
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder for the exported model")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MODEL_JSON).is_file():
        raise ConfigError(f"{folder} holds other files than an exported model; name a new or empty folder")


def _write_networks(
    nets: Sequence[nn.Module], shape: tuple[int, ...], folder: Path, *, subsets: bool, of_any_size: bool
) -> list[Values]:
    """Each network's file and its hash."""
    written = []
    for number, net in enumerate(nets):
        path = folder / ("model.onnx" if len(nets) == 1 else f"model_{number}.onnx")
        any_size = of_any_size and len(shape) == 4 and not sees_its_window(net)
        write_onnx(net, shape, path, present=subsets, any_size=any_size)
        written.append({"file": path.name, "sha256": sha256(path)})
    return written


def _write_text(path: Path, text: str) -> None:
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
