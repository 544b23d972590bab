"""The memory layout that suits a network on a device; no result depends on it but for rounding."""

import torch
from torch import nn

from brainseg.nets.menu import sees_its_window

CONTIGUOUS, CHANNELS_LAST = "contiguous", "channels_last"


def suit_layout(net: nn.Module, device: torch.device) -> nn.Module:
    """Give a network's weights, in place, the layout that its device usually computes fastest in.

    What it computes follows the layout of its weights. Channels last suits convolutions, but costs a GPU a
    quarter of a step where instance norms lie between them (docs/experiments/gpu.md).
    """
    return with_layout(net, usual_layout(net, device))


def usual_layout(net: nn.Module, device: torch.device) -> str:
    """For networks of slices and of volumes."""
    if is_of_volumes(net) and device.type != "cpu" and sees_its_window(net):
        return CONTIGUOUS
    return CHANNELS_LAST


def with_layout(net: nn.Module, name: str) -> nn.Module:
    """The network, its weights laid out in place."""
    return net.to(memory_format=_format(net, name))


def is_of_volumes(net: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv3d) for part in net.modules())


def _format(net: nn.Module, name: str) -> torch.memory_format:
    if name == CONTIGUOUS:
        return torch.contiguous_format
    return torch.channels_last_3d if is_of_volumes(net) else torch.channels_last
