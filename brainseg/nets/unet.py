"""MONAI's UNet without MONAI: the same function of the same weights under the same names.

What MONAI loads takes seconds, several times as long as a small network takes to answer.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


class UNet(nn.Module):
    """Convolutions of stride 2 down, transposed ones up, and beside each level its input (B, C, X, Y, Z).

    `monai.networks.nets.UNet` with strides of 2 and no residual units (Cardoso et al., "MONAI", arXiv
    2211.02701). Its parameters have the same names, and are drawn in the same order.

    Args:
        in_channels: Of the image.
        out_channels: Of the logits.
        channels: Feature maps of each level but the first, which is the image's resolution.
        dropout: Rate, of single values.
        norm: From a number of channels to a layer.
    """

    def __init__(
        self, in_channels: int, out_channels: int, channels: Sequence[int], dropout: float, norm: Norm
    ) -> None:
        super().__init__()
        self.model = _level(in_channels, out_channels, channels, dropout, norm, is_top=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class _Beside(nn.Module):
    """The input, and beside it what a submodule makes of it."""

    def __init__(self, submodule: nn.Module) -> None:
        super().__init__()
        self.submodule = submodule

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.submodule(x)], dim=1)


def _level(
    image: int, out: int, channels: Sequence[int], dropout: float, norm: Norm, *, is_top: bool
) -> nn.Sequential:
    """Down, all below, and up again; the innermost is built first."""
    own, below = channels[0], channels[1]
    inner: nn.Module
    if len(channels) > 2:
        inner, both = _level(own, own, channels[1:], dropout, norm, is_top=False), 2 * own
    else:
        inner, both = _block(_down(own, below, stride=1), dropout, norm), own + below
    down = _block(_down(image, own, stride=2), dropout, norm)
    up = nn.ConvTranspose3d(both, out, 3, stride=2, padding=1, output_padding=1)
    last = nn.Sequential()
    last.add_module("conv", up)
    return nn.Sequential(down, _Beside(inner), last if is_top else _block(up, dropout, norm))


def _down(in_channels: int, out_channels: int, stride: int) -> nn.Conv3d:
    return nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1)


def _block(conv: nn.Conv3d | nn.ConvTranspose3d, dropout: float, norm: Norm) -> nn.Sequential:
    """A convolution, then norm, dropout and PReLU under MONAI's names."""
    after = nn.Sequential()
    after.add_module("N", norm(cast(int, conv.out_channels)))
    after.add_module("D", nn.Dropout(dropout))
    after.add_module("A", nn.PReLU())
    block = nn.Sequential()
    block.add_module("conv", conv)
    block.add_module("adn", after)
    return block
