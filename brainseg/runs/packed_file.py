"""Packed models: the weights as NAME.safetensors, and beside them NAME.json with all else that is needed.

The JSON has the sha256 of the weights, and what a checkpoint has but for the state of its training: the
task, the settings, the record of the run, the fitted values. `load` gives the content as a checkpoint has it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from brainseg.config.errors import CheckpointError, UnreadableError
from brainseg.files.atomic import sha256, writing
from brainseg.files.plain import read_json

SUFFIX, SCHEMA = ".safetensors", 1
LARGEST_HALF = 60_000.0  # below float16's greatest number, 65,504
# Of the record of a run: what trained it, but not where, nor on which machine.
_RECORD = ("task", "name", "seed", "loss", "optimizer", "scheduler", "facts", "split", "versions", "commit")
_DATA = (
    "_target_",
    "subjects",
    "spacing_mm",
    "contrast",
    "types",
    "slices_per_subject",
    "seed",
    "fold",
    "folds",
)


def is_packed(path: str | Path) -> bool:
    """Whether a path is named as the weights of a packed model."""
    return Path(path).suffix == SUFFIX


def contract_of(path: str | Path) -> Path:
    """The JSON that belongs to the weights of a packed model."""
    return Path(path).with_suffix(".json")


def write_packed(
    stored: Mapping[str, Any],
    path: Path,
    about: Mapping[str, Any],
    *,
    half: bool = True,
    data: str | None = None,
) -> None:
    """Write a model as a packed one.

    Args:
        stored: The content of a checkpoint, as `brainseg.checkpoint.read_checkpoint` gives it.
        path: The file of the weights, NAME.safetensors.
        about: For people: licence, what it is for; stands in the JSON under "about".
        half: Store the weights in half precision.
        data: What the data are called that it learnt from; None: the name of their folder.

    Raises:
        ImageError: The disk is full, or the folder may not be written to.
    """
    weights = {key: _narrow(value) if half else value.contiguous() for key, value in _net(stored).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as temporary:
        temporary.write_bytes(save(weights))
        digest = sha256(temporary)
    run = _without_places(stored["brainseg"]["run"])
    if data is not None:
        run["data"]["root"] = data
    contract = {
        "schema": SCHEMA,
        "weights": {"file": path.name, "sha256": digest, "precision": "half" if half else "single"},
        "about": dict(about),
        "format": stored["brainseg"]["format"],
        "task": stored["brainseg"]["task"],
        "config": stored["hyper_parameters"]["config"],
        "fitted": stored["brainseg"].get("fitted", {}),
        "run": run,
    }
    with writing(contract_of(path)) as temporary:
        temporary.write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")


def read_contract(path: str | Path) -> dict[str, Any]:
    """The JSON of a packed model.

    Raises:
        CheckpointError: There is none, or it is none of this version.
    """
    file = contract_of(path)
    try:
        contract: dict[str, Any] = read_json(file)
    except (OSError, UnreadableError) as error:
        raise CheckpointError(
            f"{path} is a packed model, to which {file.name} belongs: {error}; copy both from where they came"
        ) from error
    weights = contract.get("weights")
    if contract.get("schema") != SCHEMA or not isinstance(weights, dict):
        raise CheckpointError(f"{file}: is no contract of a packed model that this brainseg reads")
    return contract


def load_packed(path: str | Path) -> dict[str, Any]:
    """The content of a packed model as a checkpoint has it, with weights in single precision.

    Raises:
        CheckpointError: The weights are not those that the JSON was written with, or there is no JSON.
    """
    contract = read_contract(path)
    if sha256(Path(path)) != contract["weights"].get("sha256"):
        raise CheckpointError(
            f"{path} has changed since it was packed: its sha256 is not the one in {contract_of(path).name}; "
            "copy both again from where they came"
        )
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no readable packed model: {error}") from error
    return {
        "brainseg": {key: contract.get(key) for key in ("format", "task", "run", "fitted")},
        "hyper_parameters": {"config": contract.get("config")},
        "state_dict": {f"net.{key}": _single(value) for key, value in weights.items()},
    }


def _net(stored: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {key[4:]: value for key, value in stored["state_dict"].items() if key.startswith("net.")}


def _narrow(value: torch.Tensor) -> torch.Tensor:
    fits = value.is_floating_point() and (not value.numel() or float(value.abs().max()) < LARGEST_HALF)
    return (value.half() if fits else value).contiguous()


def _single(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _without_places(run: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run, without folders, names and settings of the machine that it ran on."""
    task, data, before = str(run.get("task")), run.get("data") or {}, run.get("started_from")
    kept = {key: run[key] for key in (*_RECORD, task) if key in run}
    kept["data"] = {key: data[key] for key in _DATA if key in data}
    if "root" in data:
        kept["data"]["root"] = Path(str(data["root"])).name
    kept["started_from"] = _without_places(before) if isinstance(before, dict) else None
    return kept
