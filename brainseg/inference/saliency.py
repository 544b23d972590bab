"""Which parts of a slice a classifier's answer rests on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


def grad_cam(
    net: nn.Module, layer: str, image: Tensor, class_index: int, *, by_place: bool = False
) -> NDArray[np.float32]:
    """Grad-CAM of a slice or a volume: 0 where nothing supports the class, 1 where most does.

    Selvaraju et al., "Grad-CAM" (2017); all 0 if nothing supports the class. By place: HiResCAM of Draelos
    and Carin, "Use HiResCAM instead of Grad-CAM" (2020), which does not mix what speaks for the class at one
    place with what is seen at another.

    Args:
        net: The network, in evaluation mode.
        layer: The submodule whose feature maps are weighted.
        image: The network's input, (1, C, S, S) or (1, C, X, Y, Z).
        class_index: The class that is asked for.
        by_place: Weight each place of a map by its own slope, instead of by the mean slope of the map.

    Returns:
        (S, S) or (X, Y, Z).
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], maps: Tensor) -> Tensor:
        seen.append(maps)
        return maps.clone()  # what follows may change it in place

    hook = net.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            score = net(image)[0, class_index]
            (slopes,) = torch.autograd.grad(score, seen)
    finally:
        hook.remove()
    means = slopes.flatten(2).mean(2).reshape(*slopes.shape[:2], *[1] * (slopes.ndim - 2))
    weights = slopes if by_place else means
    heat = F.relu((weights * seen[0].detach()).sum(1, keepdim=True))
    mode = "bilinear" if image.ndim == 4 else "trilinear"
    heat = F.interpolate(heat, size=image.shape[2:], mode=mode, align_corners=False)[0, 0]
    strongest = heat.max()
    return np.asarray((heat / strongest if strongest > 0 else torch.zeros_like(heat)).cpu().numpy())


def share_inside(heat: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Share of the heat (S, S) that lies in a mask (S, S); 0 without heat."""
    total = float(heat.sum())
    return float(heat[mask].sum()) / total if total > 0 else 0.0
