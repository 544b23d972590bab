"""A timm backbone that names the tumour type in a slice."""

from typing import Any, cast

from torch import Tensor, nn

from brainseg.config.backbones import TIMM_NAMES, unknown_backbone
from brainseg.config.errors import ConfigError
from brainseg.nets.backbone_library import timm_library

SMALLEST_MAP = 2  # places along a side: a map of one place does not say where


class SliceClassifier(nn.Module):
    """Logits (B, K) of slices (B, 3, S, S): a timm backbone, its own global pooling, and a new head.

    Building it never downloads: `load_imagenet` fills the backbone where a run starts from ImageNet.

    Args:
        backbone: Any name in `timm.list_models()`, or mobilenetv2 for its mobilenetv2_100. The fully
            connected layers of a VGG are left out, as Keras does with `include_top=False`: vgg16 with 4
            classes has 14,716,740 parameters.
        num_classes: Logits.
        head: "linear", one layer; or "mlp", the student report's 64 > dropout > 32 > 16 > classes with ReLU
            between.
        dropout: Rate in the mlp head. The linear head has none.
        head_init: "torch", uniform weights and biases up to 1 / sqrt(inputs); or "glorot", weights
            uniform up to sqrt(6 / (inputs + outputs)) and biases 0, as Keras's Dense (Glorot and Bengio
            2010, eq. 16).
        drop_path: Stochastic depth, the rate of the last block; it grows evenly from 0 at the first.
        batch_norm_eps: Epsilon of every batch normalisation; None leaves timm's.
        batch_norm_momentum: Momentum of every one, as torch counts it: 0.01 where Keras says 0.99.

    Raises:
        ConfigError: timm knows no such backbone, the head or its initialisation is unknown, or the
            backbone has no batch normalisation, or no stochastic depth, to set.
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
    timm = timm_library()  # seconds, that networks of volumes need not wait

    if not timm.is_model(name):
        raise ConfigError(unknown_backbone(name, frozenset(timm.list_models())))
    if not name.startswith("vgg"):
        return _without_classifier(name, drop_path)
    if drop_path:
        raise ConfigError(f"drop_path is {drop_path} but {name} has no stochastic depth; set 0")
    # timm keeps VGG's pre_logits, 119 million weights, even without classifier; so thin they cost no time.
    net = timm.create_model(name, pretrained=False, num_classes=0, mlp_ratio=1 / 4096)
    net.pre_logits = nn.Identity()
    return net, cast(int, net.num_features)


def _without_classifier(name: str, drop_path: float) -> tuple[nn.Module, int]:
    timm = timm_library()

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
