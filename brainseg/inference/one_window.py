"""One window for a whole scan, where a network does not mind."""

from collections.abc import Sequence

# Feature values at full resolution, of which a U-Net holds about five sets at a time: 4.2 million voxels of
# 16 feature maps take 1.2 GB.
MOST_VALUES = 2**26


def window_sides(shape: Sequence[int], patch: Sequence[int], channels: Sequence[int]) -> tuple[int, ...]:
    """Sides of the windows for a network without normalisation, whose answer does not hang on their size.

    The whole scan at once, its sides rounded up to what the network can halve, where that is not too much to
    hold; else the patch that it was trained with. One window is less work than many that overlap, and each
    voxel sees as much around it as there is.

    Args:
        shape: Of the scan (X, Y, Z).
        patch: Trained with.
        channels: Feature maps of the network, full resolution first.
    """
    factor = 2 ** (len(channels) - 1)
    whole = tuple(-(-side // factor) * factor for side in shape)
    values = whole[0] * whole[1] * whole[2] * channels[0]
    return whole if values <= MOST_VALUES else tuple(patch)
