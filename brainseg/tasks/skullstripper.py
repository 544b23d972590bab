"""The skull stripper: one logit per voxel of one sequence, brain or not."""

import torch

from brainseg.config import SkullStripperConfig
from brainseg.inference import Windows
from brainseg.tasks import volumes
from brainseg.tasks.base import Batch, TaskModule


class SkullStripper(TaskModule):
    """Patches (B, 1, X, Y, Z) to logits (B, 1, X, Y, Z) of the brain."""

    task = "skullstripper"
    schema = SkullStripperConfig
    preview_classes = ("background", "brain")
    config: SkullStripperConfig

    def make_net(self) -> torch.nn.Module:
        return volumes.volume_net(self.config, 1, 1, optional_skip=self.config.optional_skip)

    def make_scores(self) -> volumes.RegionDices:
        return volumes.RegionDices({"brain": (1,)})

    def logits(self, image_CXYZ: torch.Tensor, windows: Windows = volumes.VALIDATION) -> torch.Tensor:
        """Logits (1, X, Y, Z) of a whole prepared scan."""
        return volumes.whole_volume(self, image_CXYZ, windows)

    def classes_of(self, logits_KXYZ: torch.Tensor) -> torch.Tensor:
        """1 in the brain, (X, Y, Z)."""
        return (logits_KXYZ[0] > 0).long()

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[dict[str, float | str]] = []

    def score(self, batch: Batch, part: str) -> None:
        self.scored += volumes.score_scans(self, batch, part)

    def case_scores(self) -> list[dict[str, float | str]]:
        return self.scored
