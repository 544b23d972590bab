"""What the two models of volumes share: building the network, predicting a whole scan, showing a slice."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config.choices import Blend
from brainseg.images.planes import cut
from brainseg.inference import Windows, predict_one, predict_windows, widths_of_one
from brainseg.metrics import RegionDice
from brainseg.nets import build_volume_net, sees_its_window
from brainseg.tasks.base import Batch, TaskModule
from brainseg.tasks.preview import Preview, ScoredCase

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
    module: TaskModule,
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


class RegionDices(RegionDice):
    """The mean Dice of each region, and "dice/mean" over the regions."""

    def compute(self) -> dict[str, torch.Tensor]:
        scores = super().compute()
        return scores | {"dice/mean": torch.stack(list(scores.values())).mean()}


def score_scans(module: Any, batch: Batch, part: str) -> list[dict[str, float | str]]:
    """Predict the whole scans of a batch, log their loss and count their Dice in `module.scores[part]`.

    Returns:
        The Dices of each scan: {"dice/brain": 0.97}, and "dice/mean" over the regions.
    """
    cases = []
    for image, truth in zip(*batch, strict=True):
        logits = module.logits(image)
        module.log_loss(part, logits[None], truth[None])
        guess = module.classes_of(logits)
        scores = module.scores[part]
        scores.update(truth[None], guess[None])
        cases.append(named_dices(scores.latest[0], scores.regions))
        module.show_case(partial(_scored_scan, image, truth, guess, cases[-1]))
    return cases


def named_dices(dices_R: torch.Tensor, regions: Iterable[str]) -> dict[str, float | str]:
    """The Dices of a scan by name, with their mean."""
    found = {f"dice/{region}": dice for region, dice in zip(regions, dices_R.tolist(), strict=True)}
    return {**found, "dice/mean": float(np.mean(list(found.values())))}


def _scored_scan(
    image_CXYZ: torch.Tensor,
    truth_XYZ: torch.Tensor,
    guess_XYZ: torch.Tensor,
    dices: Mapping[str, float | str],
    index: int,
) -> ScoredCase:
    score = float(dices["dice/mean"])
    return ScoredCase(index, "", score, dices, lambda: preview_of(image_CXYZ, truth_XYZ, guess_XYZ, score))


def preview_of(
    image_CXYZ: torch.Tensor, truth_XYZ: torch.Tensor, guess_XYZ: torch.Tensor, score: float | None = None
) -> Preview:
    """The axial slice with the most foreground, the middle one where there is none, of the last channel."""
    area = (truth_XYZ > 0).sum(dim=(0, 1))
    z = int(area.argmax()) if area.any() else truth_XYZ.shape[2] // 2
    image, truth, guess = (_slice(volume, z) for volume in (image_CXYZ[-1], truth_XYZ, guess_XYZ))
    caption = f"axial slice {z}" + ("" if score is None else f", Dice {score:.2f}")
    return Preview(image.astype(np.float32), caption, truth=truth, guess=guess)


def _slice(volume_XYZ: torch.Tensor, z: int) -> NDArray[Any]:
    one: NDArray[Any] = volume_XYZ[..., z : z + 1].detach().cpu().numpy()
    return cut(one, "axial", 0)
