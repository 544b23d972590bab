"""ImageNet weights for the backbone of a `SliceClassifier`: timm's own, or those of a file."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from brainseg.config.errors import CheckpointError, UserError
from brainseg.files.there import refuse_no_weights
from brainseg.nets.backbone_library import timm_library
from brainseg.nets.slice_classifier import SliceClassifier


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_imagenet` has put into the backbone, and from where."""

    source: str  # the file, or timm's name of the weights
    matched: int  # tensors now in the backbone: all, except BatchNorm step counters that a file may lack
    left_out: int  # tensors of the source's own classifier
    by: str  # "name", or "order" where names differ but count and shapes agree

    def __str__(self) -> str:
        left_out = f"{self.left_out} of its head left out"
        return f"{self.source}: {self.matched} tensors matched by {self.by}, {left_out}"


def load_imagenet(net: SliceClassifier, weights: Path | None = None) -> LoadedWeights:
    """Fill the backbone of `net` with pretrained weights; its head stays as it is.

    Args:
        net: A fresh classifier.
        weights: A state dict, .pth or .safetensors, with timm's names, or with other names but the same
            tensors in the same order. None downloads timm's own weights, or takes them from its cache.

    Raises:
        CheckpointError: The file cannot be read safely, or does not fit the backbone.
        UserError: The download failed, or timm has no weights for the backbone.
    """
    found = _timm_weights(net.backbone_name) if weights is None else _read_state(Path(weights))
    source = f"{net.backbone_name} of timm" if weights is None else str(weights)
    wanted = net.backbone.state_dict()
    by_name = set(found) & set(wanted)
    missing = [name for name in wanted if name not in found and not _is_counter(name)]
    if not missing:
        state, by = {name: found[name] for name in by_name}, "name"
        _refuse_unknown(found, wanted, net, source)
        _refuse_shapes(state, wanted, source)
    else:
        state, by = _match_in_order(found, wanted, source, missing), "order"
    net.backbone.load_state_dict({**wanted, **state})
    return LoadedWeights(source, len(state), _weights(found) - _weights(state), by)


def _timm_weights(backbone: str) -> dict[str, Tensor]:
    timm = timm_library()

    try:
        pretrained = timm.create_model(backbone, pretrained=True, num_classes=0)
    except (OSError, RuntimeError) as error:  # no network, or no weights for this model
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"ImageNet weights of {backbone} could not be had: {reason} "
            "Give a file with classifier.weights=PATH, or start from random weights with "
            "classifier.pretrained=false"
        ) from error
    return dict(pretrained.state_dict())


def _read_state(path: Path) -> dict[str, Tensor]:
    refuse_no_weights(path)
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: not a file of plain tensors ({type(error).__name__}); save a state dict with "
            "torch.save or safetensors"
        ) from error
    for key in ("state_dict", "model"):  # as training scripts wrap it
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    tensors = isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())
    if not tensors or not state:
        raise CheckpointError(
            f"{path}: holds no state dict of tensors; save the state_dict() of a timm model"
        )
    return dict(state)


def _weights(state: dict[str, Tensor]) -> int:
    return sum(not _is_counter(name) for name in state)


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")  # not a weight; old files do without


def _refuse_unknown(
    found: dict[str, Tensor], wanted: dict[str, Tensor], net: SliceClassifier, source: str
) -> None:
    classifier = cast(dict[str, Any], net.backbone.pretrained_cfg).get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    prefixes = tuple(f"{head}." for head in (*heads, "pre_logits"))
    foreign = [name for name in found if name not in wanted and not _is_counter(name)]
    unknown = [name for name in foreign if not name.startswith(prefixes)]
    if unknown:
        raise CheckpointError(
            f"{source}: holds {len(unknown)} tensors that {net.backbone_name} does not have, first "
            f"{unknown[0]}; take the weights of that very backbone"
        )


def _refuse_shapes(state: dict[str, Tensor], wanted: dict[str, Tensor], source: str) -> None:
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise CheckpointError(
                f"{source}: {name} is {tuple(value.shape)} but the backbone wants "
                f"{tuple(wanted[name].shape)}; take the weights of that very backbone"
            )


def _match_in_order(
    found: dict[str, Tensor], wanted: dict[str, Tensor], source: str, missing: list[str]
) -> dict[str, Tensor]:
    """The file's tensors under the backbone's names, if shapes and roles agree one by one.

    After the backbone's tensors only the weight and the bias of a classifier may follow.
    """
    names = [name for name in wanted if not _is_counter(name)]
    others = [(name, value) for name, value in found.items() if not _is_counter(name)]
    pairs = list(zip(names, others, strict=False))
    fits = len(names) <= len(others) <= len(names) + 2 and all(
        value.shape == wanted[name].shape and _role(other) == _role(name) for name, (other, value) in pairs
    )
    if not fits:
        raise CheckpointError(
            f"{source}: {len(missing)} of the backbone's {len(wanted)} tensors are missing by name, first "
            f"{missing[0]}, and its {len(others)} tensors do not match in order either; "
            "take the weights of that very backbone"
        )
    return {name: value for name, (_, value) in pairs}


def _role(name: str) -> str:
    return name.rpartition(".")[2]  # weight, bias, running_mean, ...
