"""Parts that several 3D networks share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.config.errors import ConfigError


def check_sides(image: Tensor, levels: int) -> None:
    """Refuse an image (B, C, X, Y, Z) whose sides cannot be halved at each level and doubled back."""
    factor = 2 ** (levels - 1)
    sides = tuple(image.shape[2:])
    if len(sides) != 3 or any(side % factor for side in sides):
        raise ConfigError(
            f"network input has sides {sides} voxels, but with {levels} levels each of the three sides "
            f"must be divisible by {factor}; choose such a patch or window, e.g. "
            f"{tuple(max(factor, -(-side // factor) * factor) for side in sides)}"
        )


class InstanceNorm(nn.InstanceNorm3d):
    """Torch's own, but that bfloat16 on a CPU is not copied from channels_last_3d and back.

    A batch norm of one sample is the same function. In float32 it is less exact, by 4e-4 of a deviation, and
    not used.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or input.dtype is not torch.bfloat16:
            return super().forward(input)
        samples = [self._normed(sample) for sample in input.split(1)]
        return torch.cat(samples) if len(samples) > 1 else samples[0]

    def _normed(self, sample: Tensor) -> Tensor:
        return F.batch_norm(sample, None, None, self.weight, self.bias, training=True, eps=self.eps)


class ExactConv3d(nn.Conv3d):
    """A convolution that predicts in float32 under autocast too: where an image comes in or logits go out.

    In a network without normalisation the first one's weights, rounded to bf16, were most of what bf16
    changed in its masks (docs/decisions/0004-precision.md).
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


class DoubleConv(nn.Module):
    """Conv 3^3 > ReLU > dropout > Conv 3^3 > ReLU, without normalisation; He-uniform weights, zero bias.

    The first convolution is an exact one where `of_image`.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float, of_image: bool = False) -> None:
        super().__init__()
        self.first = _he_conv(in_channels, out_channels, ExactConv3d if of_image else nn.Conv3d)
        self.dropout = nn.Dropout(dropout)
        self.second = _he_conv(out_channels, out_channels, nn.Conv3d)

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.begin(x))

    # In place: a convolution's output is needed by nothing but its activation.
    def begin(self, x: Tensor) -> Tensor:
        out: Tensor = self.first(x).relu_()
        return out

    def finish(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.dropout(x)).relu_()
        return out


class ResidualBlock(nn.Module):
    """Pre-activation block that also ends with norm and activation, plus a bare 1^3 convolution of its input.

    One IN > LReLU(0.2) > Conv 3^3 for each convolution, the first with the stride; dropout, where its rate is
    not 0, follows the activation that ends a convolution. Convolutions have no bias, instance norms no
    weights.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: tuple[float, ...]) -> None:
        """Build a block.

        Args:
            in_channels: Channels of the input.
            out_channels: Channels of the output.
            stride: 2 halves the sides, 1 keeps them.
            dropout: One rate per convolution: (0, 0) is the original block, (.2, .1, 0) the
                advanced one of the student report.
        """
        super().__init__()
        layers: list[nn.Module] = [InstanceNorm(in_channels), _activation()]
        for index, rate in enumerate(dropout):
            first = index == 0
            layers += [
                conv(in_channels if first else out_channels, out_channels, 3, stride if first else 1),
                InstanceNorm(out_channels),
                _activation(),
            ]
            if rate > 0:
                layers.append(nn.Dropout(rate))
        self.main = nn.Sequential(*layers)
        self.shortcut = conv(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.main(x) + self.shortcut(x)
        return out


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    """A convolution without bias that keeps the sides at stride 1; Glorot-uniform weights."""
    layer = nn.Conv3d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def stem(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(conv(in_channels, out_channels, 3), InstanceNorm(out_channels), _activation())


def _he_conv(in_channels: int, out_channels: int, kind: type[nn.Conv3d]) -> nn.Conv3d:
    layer = kind(in_channels, out_channels, 3, padding=1)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has a bias
    return layer


def _activation() -> nn.LeakyReLU:
    # In place only ever on the output of a norm: the raw input of a block stays intact for its shortcut.
    return nn.LeakyReLU(0.2, inplace=True)
