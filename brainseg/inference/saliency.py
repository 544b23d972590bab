"""Which parts of a slice a classifier's answer rests on."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def grad_cam(net: nn.Module, layer: str, slice_13SS: Tensor, class_index: int) -> NDArray[np.float32]:
    """Grad-CAM (S, S) of a slice: 0 where nothing supports the class, 1 where most does.

    Selvaraju et al., "Grad-CAM" (2017), by MONAI; all 0 if nothing supports the class.

    Args:
        net: The network, in evaluation mode.
        layer: The submodule whose feature maps are weighted.
        slice_13SS: The network's input (1, 3, S, S).
        class_index: The class that is asked for.
    """
    from monai.visualize.class_activation_maps import GradCAM  # seconds, that others need not wait

    own = copy.deepcopy(net)  # MONAI's hooks stay on the network that they were put on
    cam = GradCAM(own, layer, postprocessing=_unchanged)
    with torch.enable_grad():
        heat = cam(slice_13SS, class_idx=class_index)[0, 0]
    strongest = heat.max()
    return np.asarray((heat / strongest if strongest > 0 else torch.zeros_like(heat)).detach().cpu().numpy())


def share_inside(heat: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Share of the heat (S, S) that lies in a mask (S, S); 0 without heat."""
    total = float(heat.sum())
    return float(heat[mask].sum()) / total if total > 0 else 0.0


def _unchanged(heat: Tensor) -> Tensor:
    return heat
