"""A timm backbone that names the tumour type in a slice, and its ImageNet weights."""

import difflib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from brainseg.config.errors import CheckpointError, ConfigError, UserError

SMALLEST_MAP = 2  # places along a side: of one place no map says where
TIMM_NAMES = {"mobilenetv2": "mobilenetv2_100"}  # the report's name, as timm has it


class SliceClassifier(nn.Module):
    """Logits (B, K) of slices (B, 3, S, S): a timm backbone, its own global pooling, and a new head.

    Building it never downloads: `load_imagenet` fills the backbone where a run starts from ImageNet.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        head: str = "linear",
        dropout: float = 0.2,
        *,
        head_init: str = "torch",
        drop_path: float = 0.0,
        batch_norm_eps: float | None = None,
        batch_norm_momentum: float | None = None,
    ) -> None:
        """Build with random weights.

        Args:
            backbone: Any name in `timm.list_models()`, or mobilenetv2 for its mobilenetv2_100. The fully
                connected layers of a VGG are left out, as Keras does with `include_top=False`: vgg16 with 4
                classes has 14,716,740 parameters.
            num_classes: Logits.
            head: "linear", one layer; or "mlp", the report's 64 > dropout > 32 > 16 > classes with ReLU
                between.
            dropout: Rate in the mlp head. The linear head has none.
            head_init: "torch", uniform weights and biases up to 1 / sqrt(inputs); or "glorot", weights
                uniform up to sqrt(6 / (inputs + outputs)) and biases 0, as Keras's Dense (Glorot and Bengio
                2010, eq. 16).
            drop_path: Stochastic depth, the rate of the last block; it grows evenly from 0 at the first.
            batch_norm_eps: Of every batch normalisation; None leaves timm's.
            batch_norm_momentum: The same, as torch counts it: 0.01 where Keras says 0.99.

        Raises:
            ConfigError: timm knows no such backbone, the head or its initialisation is unknown, or the
                backbone has no batch normalisation, or no stochastic depth, to set.
        """
        super().__init__()
        self.backbone_name = TIMM_NAMES.get(backbone, backbone)
        self.backbone, features = _backbone(self.backbone_name, drop_path)
        _set_batch_norm(self.backbone, backbone, batch_norm_eps, batch_norm_momentum)
        self.fixed_size = _fixed_size(self.backbone)
        self.head = _head(head, features, num_classes, dropout)
        _initialise_head(self.head, head_init)

    def map_stage(self, size: int) -> str | None:
        """The deepest submodule whose map of features has 2 x 2 places or more for slices of `size` pixels.

        None for a transformer, whose features are a list of patches, and for slices too small.
        """
        stages = cast(list[dict[str, Any]], getattr(self.backbone, "feature_info", None) or [])
        fine = [stage for stage in stages if size // stage["reduction"] >= SMALLEST_MAP]
        if not fine or hasattr(self.backbone, "patch_embed"):
            return None
        return f"backbone.{fine[-1]['module']}"

    def forward(self, slices: Tensor) -> Tensor:
        if self.fixed_size is not None and tuple(slices.shape[2:]) != self.fixed_size:
            raise ConfigError(
                f"backbone {self.backbone_name} works on slices of {self.fixed_size} pixels only, "
                f"got {tuple(slices.shape[2:])}; prepare them so, or choose a backbone without a fixed size"
            )
        logits: Tensor = self.head(self.backbone(slices))
        return logits


def _backbone(name: str, drop_path: float) -> tuple[nn.Module, int]:
    """The backbone with neither classifier nor weights, and how many features it yields."""
    import timm  # seconds, that networks of volumes need not wait

    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        mend = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() lists what there is"
        raise ConfigError(f"backbone {name!r} is unknown to timm; {mend}")
    if not name.startswith("vgg"):
        return _without_classifier(name, drop_path)
    if drop_path:
        raise ConfigError(f"drop_path is {drop_path} but {name} has no stochastic depth; set 0")
    # timm keeps VGG's pre_logits, 119 million weights, even without classifier; so thin they cost no time.
    net = timm.create_model(name, pretrained=False, num_classes=0, mlp_ratio=1 / 4096)
    net.pre_logits = nn.Identity()
    return net, cast(int, net.num_features)


def _without_classifier(name: str, drop_path: float) -> tuple[nn.Module, int]:
    import timm

    settings: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    try:
        net = timm.create_model(name, pretrained=False, num_classes=0, **settings)
    except TypeError as error:  # how timm answers an argument that the model does not know
        raise ConfigError(f"drop_path is {drop_path} but {name} has no stochastic depth; set 0") from error
    return net, cast(int, net.head_hidden_size)


def _set_batch_norm(net: nn.Module, name: str, eps: float | None, momentum: float | None) -> None:
    layers = [layer for layer in net.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    if not layers and (eps is not None or momentum is not None):
        raise ConfigError(
            f"{name} has no batch normalisation; leave batch_norm_eps and batch_norm_momentum null"
        )
    for layer in layers:
        layer.eps = layer.eps if eps is None else eps
        layer.momentum = layer.momentum if momentum is None else momentum


def _initialise_head(head: nn.Module, rule: str) -> None:
    if rule not in ("torch", "glorot"):
        raise ConfigError(f"head_init={rule!r} is unknown; choose torch or glorot")
    for layer in head.modules():
        if rule == "glorot" and isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


def _fixed_size(backbone: nn.Module) -> tuple[int, ...] | None:
    """Height and width that a transformer with a fixed number of patches was built for, in pixels."""
    config = cast(dict[str, Any], backbone.pretrained_cfg)
    return tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None


def _head(head: str, features: int, num_classes: int, dropout: float) -> nn.Module:
    if head == "linear":
        return nn.Linear(features, num_classes)
    if head == "mlp":
        return nn.Sequential(
            nn.Linear(features, 64),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Linear(16, num_classes),
        )
    raise ConfigError(f"head={head!r} is unknown; choose linear or mlp")


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_imagenet` found."""

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
    import timm

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
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file of weights; give classifier.weights a .pth or .safetensors file"
        )
    try:
        safe = path.suffix == ".safetensors"
        state: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
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
