"""A metric that is updated batch by batch, on the network's device and across processes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from brainseg.images.labels import TUMOR_REGIONS
from brainseg.metrics.overlap import region_dices


class RegionDice(Metric):
    """The mean Dice of each region over the cases, as {"dice/whole_tumor": scalar, ...}.

    A case scores 1 if truth and guess both lack the region, and 0 if one of them does. The mean does not
    depend on the batch size or the number of processes.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    cases: Tensor
    latest: Tensor  # (B, R), of the batch that was added last

    def __init__(self, regions: Mapping[str, tuple[int, ...]] = TUMOR_REGIONS, **options: Any) -> None:
        """Start without a case.

        Args:
            regions: Which classes make up which region, e.g. {"brain": (1,)}.
            options: Those of `torchmetrics.Metric`.
        """
        super().__init__(**options)
        self.regions = dict(regions)
        self.add_state("total", torch.zeros(len(self.regions)), dist_reduce_fx="sum")
        self.add_state("cases", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, truth: Tensor, guess: Tensor) -> None:
        """Add a batch of label classes (B, X, Y, Z)."""
        self.latest = region_dices(truth, guess, self.regions)
        self.total += self.latest.sum(dim=0)
        self.cases += len(truth)

    def compute(self) -> dict[str, Tensor]:
        """The means; NaN before the first case."""
        means = self.total / self.cases
        return {f"dice/{region}": mean for region, mean in zip(self.regions, means, strict=True)}
