"""Volume networks by name, from plain values only, so that a checkpoint can rebuild them."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from torch import Tensor, nn

from brainseg.config.errors import ConfigError
from brainseg.nets.blocks import InstanceNorm, check_sides
from brainseg.nets.residual_unet3d import ResidualUNet3D
from brainseg.nets.unet import UNet
from brainseg.nets.unet3d import UNet3D

Dropout = float | Sequence[float]


def build_volume_net(
    name: str,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int],
    dropout: Dropout = 0.0,
    optional_skip: bool = True,
    norm: str = "own",
    deep_supervision: bool = False,
) -> nn.Module:
    """A network from images (B, C, X, Y, Z) to logits (B, K, X, Y, Z) with random weights.

    Args:
        name: One of `VOLUME_NETS`.
        in_channels: Sequences of the image.
        out_channels: Classes or regions.
        channels: Feature maps per level, full resolution first; every side of an input must be divisible by
            2 ** (levels - 1). `segresnet` doubles its width at each level and needs multiples of 8.
        dropout: Rate. `unet3d` takes one rate per level too; for `residual_unet3d_advanced` the second of its
            two rates is half of it (0.2 and 0.1 in the student report); `residual_unet3d` has none.
        optional_skip: See `ResidualUNet3D`; the other networks have no such choice.
        norm: "own" keeps the network's; "batch", for MONAI's networks, normalises by the means and deviations
            of training.
        deep_supervision: For `dynunet` only: in training it answers (B, H, K, X, Y, Z), the finest of its H
            resolutions first, all enlarged to the size of the image.

    Raises:
        ConfigError: An unknown name, or values that the named network cannot follow.
    """
    if name not in VOLUME_NETS:
        raise ConfigError(f"network {name!r} is unknown; choose one of {', '.join(VOLUME_NETS)}")
    if len(channels) < 2:
        raise ConfigError(f"{name} needs channels for two levels or more, got {list(channels)}")
    if norm not in ("own", "batch") or (norm == "batch" and name not in _NORMED):
        raise ConfigError(
            f"{name} has no norm={norm}; set norm=own, or norm=batch with one of {', '.join(_NORMED)}"
        )
    if name.startswith("residual_unet3d"):
        return _residual(name, in_channels, out_channels, channels, dropout, optional_skip)
    if not optional_skip:
        raise ConfigError(
            f"optional_skip=false belongs to the residual_unet3d networks, not to {name}; leave it out"
        )
    if deep_supervision and name != "dynunet":
        raise ConfigError(f"deep_supervision=true belongs to dynunet, not to {name}; leave it out")
    if name == "unet3d":
        return _unet3d(in_channels, out_channels, tuple(channels), dropout)
    rate, options = _one_rate(name, dropout), {"deep_supervision": True} if deep_supervision else {}
    return _NORMED[name](in_channels, out_channels, tuple(channels), rate, norm, **options)


def sees_its_window(net: nn.Module) -> bool:
    """Whether a network's answer for a voxel depends on the window's size, not only on the voxels around it.

    It does where a norm takes its mean and deviation from the window.
    """
    return any(isinstance(part, nn.InstanceNorm3d | nn.GroupNorm) for part in net.modules())


def _residual(
    name: str,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int],
    dropout: Dropout,
    optional_skip: bool,
) -> nn.Module:
    rate = _one_rate(name, dropout)
    block = "advanced" if name.endswith("advanced") else "base"
    if block == "base" and rate:
        raise ConfigError(f"{name} has no dropout, got {rate}; set 0, or take residual_unet3d_advanced")
    rates = (rate, rate / 2) if block == "advanced" else None
    return ResidualUNet3D(in_channels, out_channels, channels, block, optional_skip, rates)


def _unet3d(in_channels: int, out_channels: int, channels: tuple[int, ...], dropout: Dropout) -> nn.Module:
    rates = (float(dropout),) * len(channels) if isinstance(dropout, int | float) else tuple(dropout)
    return UNet3D(in_channels, out_channels, channels, rates)


def _unet(
    in_channels: int, out_channels: int, channels: tuple[int, ...], rate: float, norm: str
) -> nn.Module:
    layer = nn.BatchNorm3d if norm == "batch" else InstanceNorm
    return _checked(UNet(in_channels, out_channels, channels, rate, layer), len(channels))


def _segresnet(
    in_channels: int, out_channels: int, channels: tuple[int, ...], rate: float, norm: str
) -> nn.Module:
    width, levels = channels[0], len(channels)
    doubling = tuple(width * 2**level for level in range(levels))
    if channels != doubling or width % 8:
        raise ConfigError(
            f"segresnet doubles its channels at each level, from a multiple of 8; got {list(channels)}, "
            f"try {[max(8, width // 8 * 8) * 2**level for level in range(levels)]}"
        )
    from monai.networks.nets.segresnet import SegResNet  # seconds, that the other networks need not wait

    net = SegResNet(
        spatial_dims=3,
        init_filters=width,
        in_channels=in_channels,
        out_channels=out_channels,
        dropout_prob=rate or None,
        norm="batch" if norm == "batch" else ("group", {"num_groups": 8}),
        blocks_down=(1, *(2,) * (levels - 2), 4),
        blocks_up=(1,) * (levels - 1),
    )
    return _checked(net, levels)


def _dynunet(
    in_channels: int,
    out_channels: int,
    channels: tuple[int, ...],
    rate: float,
    norm: str,
    deep_supervision: bool = False,
) -> nn.Module:
    levels = len(channels)
    if levels < 3:
        raise ConfigError(f"dynunet needs channels for three levels or more, got {list(channels)}")
    strides = (1, *(2,) * (levels - 1))
    from monai.networks.nets.dynunet import DynUNet

    net = DynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=(3,) * levels,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=channels,
        norm_name=(_instance_or_batch(norm), {"affine": True}),
        dropout=("dropout", {"p": rate}) if rate else None,
        deep_supervision=deep_supervision,
        deep_supr_num=max(1, levels - 3),  # not the two coarsest: they see too little
    )
    return _checked(net, levels)


def _instance_or_batch(norm: str) -> str:
    """The name in MONAI's networks of a norm of ours."""
    return "batch" if norm == "batch" else _instance_norm()


@cache
def _instance_norm() -> str:
    """The name by which MONAI's networks find ours."""
    from monai.networks.layers.factories import Norm

    name = "brainseg_instance"
    Norm.add_factory_class(name, InstanceNorm)
    return name


def _checked(net: nn.Module, levels: int) -> nn.Module:
    net.register_forward_pre_hook(partial(_check_input, levels=levels))
    return net


def _check_input(net: nn.Module, inputs: tuple[Tensor, ...], levels: int) -> None:
    check_sides(inputs[0], levels)


def _one_rate(name: str, dropout: Dropout) -> float:
    if isinstance(dropout, int | float):
        return float(dropout)
    raise ConfigError(f"{name} takes one dropout rate, got {list(dropout)}; only unet3d has one per level")


_NORMED: dict[str, Callable[..., nn.Module]] = {"unet": _unet, "segresnet": _segresnet, "dynunet": _dynunet}
VOLUME_NETS = ("unet3d", "residual_unet3d", "residual_unet3d_advanced", "unet", "segresnet", "dynunet")
