"""The student report's 3D U-Net."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.config.errors import ConfigError
from brainseg.nets.blocks import DoubleConv, ExactConv3d, check_sides


class UNet3D(nn.Module):
    """Logits (B, K, X, Y, Z) of an image (B, C, X, Y, Z): the U-Net of the student report's section 5.3.

    Two 3^3 convolutions per level with dropout between them, max pooling down, transposed 2^3 convolutions
    up, no normalisation. 5,645,828 parameters with 3 input and 4 output channels at the default widths.

    Args:
        in_channels: Sequences of the image.
        out_channels: Classes or regions.
        channels: Feature maps per level, full resolution first; each side of the image must be divisible
            by 2 ** (levels - 1).
        dropout: Rate per level, used on the way down and, at the same level, on the way up.

    Raises:
        ConfigError: There are not as many rates as levels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        dropout: Sequence[float] = (0.1, 0.1, 0.2, 0.2, 0.3),
    ) -> None:
        super().__init__()
        if len(channels) != len(dropout):
            raise ConfigError(
                f"UNet3D has {len(channels)} levels {tuple(channels)} but {len(dropout)} dropout rates "
                f"{tuple(dropout)}; give one rate per level"
            )
        self.levels = len(channels)
        self.down = nn.ModuleList(
            DoubleConv(before, width, rate, of_image=level == 0)
            for level, (before, width, rate) in enumerate(
                zip((in_channels, *channels[:-1]), channels, dropout, strict=True)
            )
        )
        self.pool = nn.MaxPool3d(2)
        rising = [*zip(channels[1:], channels[:-1], dropout[:-1], strict=True)][::-1]  # below, width, rate
        self.enlarge = nn.ModuleList(_transposed(below, width) for below, width, _ in rising)
        self.up = nn.ModuleList(DoubleConv(2 * width, width, rate) for _, width, rate in rising)
        self.out = ExactConv3d(channels[0], out_channels, 1)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]  # it has a bias

    def forward(self, image: Tensor) -> Tensor:
        check_sides(image, self.levels)
        skips: list[Tensor] = []
        x = image
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        skips.pop()  # the bottleneck is no skip
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            assert isinstance(block, DoubleConv)
            x = _joined(enlarge, x, skips)
            x = block.begin(x)  # lets go of what was joined, the largest of all
            x = block.finish(x)
        logits: Tensor = self.out(x)
        return logits


def _joined(enlarge: nn.Module, below: Tensor, skips: list[Tensor]) -> Tensor:
    """What comes up from below, enlarged, and behind it the last skip, which is taken from the list."""
    if torch.is_grad_enabled():
        return torch.cat([enlarge(below), skips.pop()], dim=1)
    # Predicting, the skip is let go before its neighbour is made: a quarter less memory where most is held.
    skip = skips.pop()
    width = skip.shape[1]
    both = F.pad(skip, (*(0, 0) * 3, width, 0))  # channels before the skip's, in its memory format
    del skip
    both[:, :width] = enlarge(below)
    return both


def _transposed(in_channels: int, out_channels: int) -> nn.ConvTranspose3d:
    layer = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2)
    nn.init.xavier_uniform_(layer.weight)  # no activation follows it: Keras's default, not He
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has a bias
    return layer
