"""What the two models of volumes share: building the network, and predicting a whole scan."""

from collections.abc import Callable
from typing import Any

import torch

from brainseg.config.choices import Blend
from brainseg.inference import Windows, predict_one, predict_windows, widths_of_one
from brainseg.nets import build_volume_net, sees_its_window
from brainseg.trained.base import Model

# The windows of a training's validation scans. They have a part in which epoch is the best, so they are no
# option; conf/predict.yaml has those of a prediction.
VALIDATION = Windows(overlap=0.5, blend=Blend.gaussian, batch_size=4)


def volume_net(config: Any, in_channels: int, out_channels: int, **options: Any) -> torch.nn.Module:
    """The network that a volume task's section names."""
    return build_volume_net(
        str(config.net), in_channels, out_channels, config.channels, config.dropout, **options
    )


@torch.no_grad()
def whole_volume(
    module: Model,
    image_CXYZ: torch.Tensor,
    windows: Windows,
    *,
    predict: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Logits (K, X, Y, Z) of a whole prepared scan, by overlapping windows of the size trained on.

    A norm of the window sees its other voxels, so that windows of another size would be strange to the
    network; one without such norms is shown the whole scan at once, if that can be held.

    Args:
        module: The trained model.
        image_CXYZ: The prepared scan.
        windows: How they are laid over it.
        predict: From patches to logits; the module itself where nothing else is given.
    """
    config, answer = module.config, predict or module
    if not sees_its_window(module.net):
        widths = widths_of_one(image_CXYZ.shape[1:], windows.origin, config.channels)
        if widths is not None:
            return predict_one(image_CXYZ, widths, answer)
    return predict_windows(image_CXYZ, config.patch, windows, predict=answer)
