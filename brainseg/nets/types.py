"""Networks that name the tumour in a volume, from plain values only, so that checkpoints can rebuild them."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from brainseg.config.errors import ConfigError
from brainseg.nets.blocks import InstanceNorm
from brainseg.nets.unet import UNet

TYPE_NETS = ("residual", "resnet10", "resnet18", "densenet121", "unet_encoder")
_SHORT = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}  # blocks to each level


def build_type_net(
    name: str, in_channels: int, classes: int, channels: Sequence[int], dropout: float = 0.0
) -> nn.Module:
    """A network from images (B, C, X, Y, Z) of any size to logits (B, K) with random weights.

    Args:
        name: One of `TYPE_NETS`.
        in_channels: Of the image.
        classes: Logits.
        channels: Feature maps of each level of `residual` and `unet_encoder`; MONAI's have their own.
        dropout: Rate before the last layer.

    Raises:
        ConfigError: The name is unknown, or there are too few levels.
    """
    if name not in TYPE_NETS:
        raise ConfigError(f"network {name!r} is unknown; choose one of {', '.join(TYPE_NETS)}")
    if len(channels) < 2:
        raise ConfigError(f"{name} needs channels for two levels or more, got {list(channels)}")
    if name == "residual":
        return TypeNet(_residual(in_channels, channels), channels[-1], classes, dropout)
    if name == "unet_encoder":
        return TypeNet(UNetEncoder(in_channels, channels), channels[-1], classes, dropout)
    return TypeNet(*_monai(name, in_channels), classes, dropout)


class TypeNet(nn.Module):
    """Logits (B, K) from the mean and the maximum of each feature map: a tumour fills a small part of a head.

    Args:
        features: From an image to feature maps (B, F, x, y, z), those that a heat map is made of.
        width: Feature maps.
        classes: Logits.
        dropout: Rate, of the pooled features.
    """

    def __init__(self, features: nn.Module, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.features = features
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, classes)
        nn.init.zeros_(self.out.weight)  # the maxima are large: random weights would begin with wild guesses
        nn.init.zeros_(self.out.bias)

    def forward(self, image: Tensor) -> Tensor:
        maps = self.features(image).flatten(2)
        pooled = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)
        logits: Tensor = self.out(self.dropout(pooled))
        return logits


class UNetEncoder(nn.Module):
    """The way down of `UNet` under the names of its weights: the deepest feature maps of an image.

    Args:
        in_channels: Of the image.
        channels: Feature maps of each level, as of the U-Net.
    """

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.model = UNet(in_channels, 1, channels, 0.0, InstanceNorm).model
        level: nn.Module = self.model
        while isinstance(level, nn.Sequential) and len(level) == 3:
            level[2] = nn.Identity()  # the way up
            level = level[1].submodule  # type: ignore[assignment]

    def forward(self, image: Tensor) -> Tensor:
        level, maps = self.model, image
        while isinstance(level, nn.Sequential) and len(level) == 3:
            maps = level[0](maps)
            level = level[1].submodule  # type: ignore[assignment]
        deepest: Tensor = level(maps)
        return deepest


class _Residual(nn.Module):
    """Conv > BN > ReLU > Conv > BN, plus the input, then ReLU; the first convolution has the stride.

    Batch norms, not those of the image itself: how bright a part is beside other brains is what is asked.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *_conv(in_channels, out_channels, 3, stride),
            nn.ReLU(inplace=True),
            *_conv(out_channels, out_channels, 3),
        )
        same = in_channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(in_channels, out_channels, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.main(x) + self.shortcut(x)).relu_()
        return out


def _residual(in_channels: int, channels: Sequence[int]) -> nn.Sequential:
    """A stem of stride 2, then a block to each further level; none at the image's resolution, for speed."""
    stem = nn.Sequential(*_conv(in_channels, channels[0], 3, 2), nn.ReLU(inplace=True))
    return nn.Sequential(stem, *(_Residual(above, below, 2) for above, below in pairwise(channels)))


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv3d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, nn.BatchNorm3d(out_channels)


def _monai(name: str, in_channels: int) -> tuple[nn.Module, int]:
    """The features of one of MONAI's networks, and how many maps there are."""
    if name == "densenet121":
        from monai.networks.nets.densenet import DenseNet121  # seconds, that the other networks need not wait

        dense = DenseNet121(spatial_dims=3, in_channels=in_channels, out_channels=1)
        return nn.Sequential(dense.features, nn.ReLU()), 1024
    from monai.networks.nets.resnet import ResNet

    net = ResNet(
        block="basic",
        layers=list(_SHORT[name]),
        block_inplanes=[64, 128, 256, 512],
        spatial_dims=3,
        n_input_channels=in_channels,
        conv1_t_stride=2,
        feed_forward=False,
    )
    parts = (net.conv1, net.bn1, net.act, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4)
    return nn.Sequential(*parts), 512
