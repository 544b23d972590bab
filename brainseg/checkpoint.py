"""Trained models read back from their checkpoints: the weights and everything needed to use them."""

import pickle
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from brainseg.config import plain
from brainseg.config.errors import CheckpointError
from brainseg.nets.layout import suit_layout
from brainseg.nets.planned import on_paper
from brainseg.runs.checkpoint_file import load_checkpoint, write_checkpoint
from brainseg.runs.models import refuse_no_checkpoint
from brainseg.system.device import best_device
from brainseg.trained import MODELS, Model, VolumeClassifierModel
from brainseg.trained.base import FORMAT, flush_subnormals
from brainseg.trained.beginning import fitting_weights
from brainseg.trained.stored import fitted_fault, record_fault, structure_fault, weights_fault

__all__ = ["NETWORK", "CheckpointError", "begin_with", "load_model", "read_checkpoint", "store_fitted"]

# The keys of a task's config from which its network is built.
NETWORK = (
    "net",
    "channels",
    "optional_skip",
    "output",
    "cavity",
    "norm",
    "deep_supervision",
    "subsets",
    "backbone",
    "head",
    "classes",
)

# Keys that checkpoints from before they existed lack, with the values that they were trained with.
_ADDED: dict[str, dict[str, Any]] = {
    "classifier": {"ema": None},
    "skullstripper": {"ema": None},
    "segmenter": {
        "ema": None,
        "output": "classes",
        "cavity": False,
        "norm": "own",
        "deep_supervision": False,
        "subsets": [],
        "subset_share": 0.0,
    },
    "volume_classifier": {},
}


def load_model(path: str | Path, device: str | torch.device = "cpu", *, task: str | None = None) -> Model:
    """The trained model in a checkpoint, ready to predict. Nothing but the file is needed.

    Only plain data is unpickled and no loss or optimizer is built, so that a checkpoint from elsewhere cannot
    run code.

    Args:
        path: A file written by training: best.ckpt or last.ckpt.
        device: Where the model will predict: auto, cpu, cuda, cuda:1 or mps.
        task: The task that the checkpoint must be of; None takes any.

    Raises:
        CheckpointError: There is no such file, it was not written by brainseg, it was written by a newer one,
            or it is of another task.
        ConfigError: The device is unknown or not there.
    """
    place = best_device(device) if isinstance(device, str) else device
    stored = read_checkpoint(path)
    about = stored["brainseg"]
    if task is not None and about["task"] != task:
        raise CheckpointError(f"{path} is a checkpoint of a {about['task']}, where a {task} is needed")
    run, fitted = about["run"], about.get("fitted", {})
    cavity = stored["hyper_parameters"]["config"].get("cavity") is True
    if fault := record_fault(run) or fitted_fault(about["task"], fitted, cavity=cavity):
        raise CheckpointError(f"{path} cannot be used: it is a checkpoint which {fault}")
    module = _rebuilt(path, stored)
    flush_subnormals(module.net.state_dict().values())
    module.provenance, module.fitted = run, fitted
    suit_layout(module.net, place)
    return module.eval().to(place)


def _rebuilt(path: str | Path, stored: dict[str, Any]) -> Model:
    """The module with its weights, once a plan of it, which takes no memory, has been compared with them."""
    task, weights = stored["brainseg"]["task"], stored["state_dict"]  # of the loss too, which is not rebuilt
    net = {key[4:]: value for key, value in weights.items() if str(key).startswith("net.")}
    config = _completed(stored["hyper_parameters"]["config"], task)
    try:
        with on_paper():
            planned = MODELS[task].of(config).net.state_dict()
        fault = weights_fault(net, planned)
    except Exception as error:  # whatever stands there instead of a config
        raise CheckpointError(f"{path} does not fit this brainseg: {_first_line(error)}") from error
    if fault:
        raise CheckpointError(f"{path} cannot be used: it is a checkpoint which {fault}")
    module = MODELS[task].of(config)
    module.net.load_state_dict(net)
    return module


def begin_with(module: Model, path: str | Path) -> tuple[dict[str, Any], list[str], list[str]]:
    """Give a fresh module the weights of a checkpoint of the same task and network.

    A segmenter may see other sequences or tell other classes: `trained.beginning` says what it takes then.
    A classifier of volumes with net=unet_encoder takes the way down of a segmenter's unet, too.

    Returns:
        The record of the checkpoint's run; what that prepared its images with where the module does
        otherwise: "intensity=minmax"; and what is left out: "its weights for t2".

    Raises:
        CheckpointError: As for `load_model`, or its network is another one.
    """
    if isinstance(module, VolumeClassifierModel) and read_checkpoint(path)["brainseg"]["task"] == "segmenter":
        return _begin_with_encoder(module, path)
    start = load_model(path, task=module.task)
    fitting = fitting_weights(start, module)
    if fitting is None:
        differing = _differing(start.config, module.config, NETWORK, within=module.task)
        within = f"{module.task}.preprocess"
        differing += _differing(start.config.preprocess, module.config.preprocess, ["modalities"], within)
        raise CheckpointError(
            f"start_from={path} is of another network: it has {', '.join(differing)}; leave out what says "
            "otherwise, as the model brings these along, or set the same"
        )
    weights, left_out = fitting
    module.net.load_state_dict(weights)
    return start.provenance, _differing(start.config.preprocess, module.config.preprocess), left_out


def _begin_with_encoder(
    module: VolumeClassifierModel, path: str | Path
) -> tuple[dict[str, Any], list[str], list[str]]:
    start = load_model(path, task="segmenter")
    theirs = {f"features.{name}": tensor for name, tensor in start.net.state_dict().items()}
    ours = {name: tensor for name, tensor in module.net.state_dict().items() if name.startswith("features.")}
    fits = (
        str(module.config.net) == "unet_encoder"
        and str(start.config.norm) == "own"
        and list(start.config.preprocess.modalities) == list(module.config.preprocess.modalities)
        and bool(start.subsets) == bool(module.subsets)
        and all(name in theirs and theirs[name].shape == tensor.shape for name, tensor in ours.items())
    )
    if not fits:
        seen = ",".join(start.config.preprocess.modalities)
        widths = ",".join(map(str, start.config.channels))
        raise CheckpointError(
            f"start_from={path} is a segmenter with net={start.config.net}, whose way down does not fit; set "
            f"volume_classifier.net=unet_encoder volume_classifier.channels=[{widths}] "
            f"volume_classifier.preprocess.modalities=[{seen}] for a segmenter with net=unet norm=own, with "
            f"volume_classifier.subset_share {'above 0' if start.config.subset_share else '0'}"
        )
    module.net.load_state_dict({name: theirs[name] for name in ours}, strict=False)
    return start.provenance, _differing(start.config.preprocess, module.config.preprocess), []


def _differing(theirs: Any, ours: Any, names: Iterable[str] | None = None, within: str = "") -> list[str]:
    """`name=value` of their config, for each name whose value is not ours."""
    one, other = plain(OmegaConf.structured(theirs)), plain(OmegaConf.structured(ours))
    differing = [name for name in names or one if name in one and one[name] != other[name]]
    return [f"{within}.{name}={one[name]}" if within else f"{name}={one[name]}" for name in differing]


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The plain content of a checkpoint of brainseg; nothing in the file is executed.

    Raises:
        CheckpointError: There is no such file, or it is no checkpoint that this version can use.
    """
    path = Path(path)
    refuse_no_checkpoint(path)
    try:
        stored = load_checkpoint(path)
    except pickle.UnpicklingError as error:
        if not _is_pickled(path):
            raise CheckpointError(f"{path} is no checkpoint: it begins with {_beginning(path)}") from error
        raise CheckpointError(
            f"{path} was not opened: it holds more than plain data, which could run code "
            f"({_first_line(error)}); only checkpoints written by brainseg are read"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise CheckpointError(f"{path} is no readable checkpoint: {_first_line(error)}") from error
    about = stored.get("brainseg") if isinstance(stored, dict) else None
    if not isinstance(about, dict):
        raise CheckpointError(f"{path} is a checkpoint, but not of brainseg: it has no 'brainseg' entry")
    version, task = about.get("format"), about.get("task")
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise CheckpointError(f"{path} has format {version!s:.40}; this brainseg reads up to {FORMAT}")
    if not isinstance(task, str) or task not in MODELS:
        raise CheckpointError(f"{path} is a checkpoint of another task than brainseg's, {', '.join(MODELS)}")
    if fault := structure_fault(stored):
        raise CheckpointError(f"{path} cannot be used: it is a checkpoint which {fault}")
    return dict(stored)


def _is_pickled(path: Path) -> bool:
    """Whether it is a zip archive or a pickle, in which PyTorch has found what it does not unpack."""
    return zipfile.is_zipfile(path) or _beginning(path).startswith(r"b'\x80")


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return str(file.read(24))


def store_fitted(path: str | Path, fitted: dict[str, Any]) -> None:
    """Put the values that a model has found on its validation part into its checkpoint.

    The rest of the checkpoint stays as it is.
    """
    stored = read_checkpoint(path)
    stored["brainseg"]["fitted"] = fitted
    write_checkpoint(stored, path)


def _completed(config: dict[str, Any], task: str) -> dict[str, Any]:
    return {**_ADDED[task], **config}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
