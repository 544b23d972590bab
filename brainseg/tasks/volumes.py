"""What the training of the two models of volumes shares: scoring whole scans, and showing a slice."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.images.planes import cut
from brainseg.metrics.streaming import RegionDice
from brainseg.tasks.preview import Preview, ScoredCase
from brainseg.trained.base import Batch


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
