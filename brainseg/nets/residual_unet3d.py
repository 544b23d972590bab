"""The residual 3D U-Net of the skull stripper."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brainseg.config.errors import ConfigError
from brainseg.nets.blocks import ResidualBlock, check_sides, conv, stem

BLOCK_DROPOUT: dict[str, tuple[float, ...]] = {"base": (0.0, 0.0), "advanced": (0.2, 0.1, 0.0)}


class ResidualUNet3D(nn.Module):
    """Logits (B, K, X, Y, Z) of an image (B, C, X, Y, Z) by strided residual blocks and instance norms.

    The network of skull-stripping-and-ica (2021), whose final sigmoid is left to the loss and the prediction,
    and, with `block="advanced"`, the deeper block of the student report's section 4.4.1 (one more
    convolution, dropout .2 and .1).

    Parameters at the default widths: base 23,766,848, advanced 35,379,008; without the optional skip
    23,656,192 and 35,268,352. The original counts the same with and without, since it builds the skip's two
    convolutions even where it never uses them; here they do not exist then, and a checkpoint of one kind
    cannot be loaded as the other.

    Args:
        in_channels: Sequences of the image.
        out_channels: Classes or regions.
        channels: Feature maps per level, full resolution first; each side of the image must be divisible
            by 2 ** (levels - 1), and the lowest level must keep more than one voxel.
        block: "base" has two convolutions, "advanced" three.
        optional_skip: The skip at full resolution is a convolution of the stem's output plus one of the
            image; otherwise it is their plain sum, which needs 1 or `channels[0]` input channels.
        dropout: Rates after the first and second convolution of the advanced block; its (.2, .1) if None.

    Raises:
        ConfigError: Arguments that contradict one another.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        channels: Sequence[int] = (64, 128, 256, 512),
        block: str = "base",
        optional_skip: bool = True,
        dropout: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        rates = _rates(block, dropout)
        if not optional_skip and in_channels not in (1, channels[0]):
            raise ConfigError(
                f"optional_skip=false adds the image to {channels[0]} feature maps, so it needs 1 or "
                f"{channels[0]} input channels, got {in_channels}; set optional_skip=true"
            )
        self.levels = len(channels)
        self.stem = stem(in_channels, channels[0])
        self.skip_features = conv(channels[0], channels[0], 3) if optional_skip else None
        self.skip_image = conv(in_channels, channels[0], 1) if optional_skip else None
        pairs = list(pairwise(channels))
        self.down = nn.ModuleList(ResidualBlock(above, below, 2, rates) for above, below in pairs)
        self.up = nn.ModuleList(ResidualBlock(above + below, above, 1, rates) for above, below in pairs[::-1])
        self.out = conv(channels[0], out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        check_sides(image, self.levels)
        _check_bottleneck(image, self.levels)
        x = self._first_skip(image, self.stem(image))
        skips = [x]  # it feeds the way down as well
        for block in self.down:
            x = block(x)
            skips.append(x)
        skips.pop()  # the bottleneck is no skip
        for block in self.up:
            larger = F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=True)
            x = block(torch.cat([larger, skips.pop()], dim=1))
        logits: Tensor = self.out(x)
        return logits

    def _first_skip(self, image: Tensor, features: Tensor) -> Tensor:
        if self.skip_features is None or self.skip_image is None:
            return image + features  # one image channel is added to every feature map
        skip: Tensor = self.skip_features(features) + self.skip_image(image)
        return skip


def _rates(block: str, dropout: Sequence[float] | None) -> tuple[float, ...]:
    if block not in BLOCK_DROPOUT:
        raise ConfigError(f"block={block!r} is unknown; choose one of {', '.join(BLOCK_DROPOUT)}")
    if dropout is None:
        return BLOCK_DROPOUT[block]
    if block == "base":
        raise ConfigError(
            f"the base block has no dropout, got rates {tuple(dropout)}; use block=advanced or none"
        )
    if len(dropout) != 2:
        raise ConfigError(
            f"the advanced block has two dropout rates, got {tuple(dropout)}; give e.g. (0.2, 0.1)"
        )
    return (*dropout, 0.0)


def _check_bottleneck(image: Tensor, levels: int) -> None:
    # Instance norm of a single voxel is 0 whatever the image holds; torch refuses it without saying where.
    if all(side == 2 ** (levels - 1) for side in image.shape[2:]):
        raise ConfigError(
            f"network input has sides {tuple(image.shape[2:])} voxels, of which {levels} levels leave a "
            "single voxel that instance norm cannot normalise; choose a patch of at least "
            f"{2**levels} voxels along one side"
        )
