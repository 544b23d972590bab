"""The memory layout that suits a network on a device; no result depends on it but for rounding."""

import torch
from torch import nn

from brainseg.nets.menu import sees_its_window


def suit_layout(net: nn.Module, device: torch.device) -> nn.Module:
    """Give a network's weights, in place, the layout that its device computes fastest in.

    What it computes follows the layout of its weights. Channels last suits convolutions, but costs a GPU a
    quarter of a step where instance norms lie between them (docs/experiments/gpu.md).
    """
    return net.to(memory_format=layout_of(net, device))


def layout_of(net: nn.Module, device: torch.device) -> torch.memory_format:
    """For networks of slices and of volumes."""
    if not any(isinstance(part, nn.Conv3d) for part in net.modules()):
        return torch.channels_last
    if device.type != "cpu" and sees_its_window(net):
        return torch.contiguous_format
    return torch.channels_last_3d
