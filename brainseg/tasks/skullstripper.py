"""The skull stripper: one logit per voxel of one sequence, brain or not."""

from typing import Any

import torch

from brainseg.config import SkullStripperConfig
from brainseg.inference import Windows
from brainseg.metrics import RegionDice
from brainseg.tasks import volumes
from brainseg.tasks.base import TaskModule
from brainseg.tasks.preview import Preview

Batch = tuple[torch.Tensor, torch.Tensor]


class SkullStripper(TaskModule):
    """Patches (B, 1, X, Y, Z) to logits (B, 1, X, Y, Z) of the brain."""

    task = "skullstripper"
    schema = SkullStripperConfig
    preview_classes = ("background", "brain")
    config: SkullStripperConfig

    def __init__(
        self,
        config: dict[str, Any],
        loss: dict[str, Any] | None = None,
        optimizer: dict[str, Any] | None = None,
        scheduler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(config, loss, optimizer, scheduler)
        self.net = volumes.volume_net(self.config, 1, 1, optional_skip=self.config.optional_skip)
        self.dice = torch.nn.ModuleDict({part: RegionDice({"brain": (1,)}) for part in ("val", "test")})

    def logits(self, image_CXYZ: torch.Tensor, windows: Windows = volumes.VALIDATION) -> torch.Tensor:
        """Logits (1, X, Y, Z) of a whole prepared scan."""
        return volumes.whole_volume(self, image_CXYZ, windows)

    def classes_of(self, logits_KXYZ: torch.Tensor) -> torch.Tensor:
        """1 in the brain, (X, Y, Z)."""
        return (logits_KXYZ[0] > 0).long()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        volumes.count_scores(self, batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        volumes.count_scores(self, batch, "test")

    def on_validation_epoch_end(self) -> None:
        volumes.log_scores(self, "val")

    def on_test_epoch_end(self) -> None:
        volumes.log_scores(self, "test")

    def previews(self, batch: Batch) -> list[Preview]:
        return volumes.previews(self, batch)
