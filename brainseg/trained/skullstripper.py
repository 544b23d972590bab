"""The skull stripper: one logit per voxel of one sequence, brain or not."""

import torch

from brainseg.config import SkullStripperConfig
from brainseg.inference import Windows
from brainseg.trained import volumes
from brainseg.trained.base import Model


class SkullStripperModel(Model):
    """Patches (B, 1, X, Y, Z) to logits (B, 1, X, Y, Z) of the brain."""

    task = "skullstripper"
    schema = SkullStripperConfig
    config: SkullStripperConfig
    region_members = {"brain": (1,)}  # noqa: RUF012  # the classes of each region that the model tells

    def make_net(self) -> torch.nn.Module:
        return volumes.volume_net(self.config, 1, 1, optional_skip=self.config.optional_skip)

    def logits(self, image_CXYZ: torch.Tensor, windows: Windows = volumes.VALIDATION) -> torch.Tensor:
        """Logits (1, X, Y, Z) of a whole prepared scan."""
        return volumes.whole_volume(self, image_CXYZ, windows)

    def classes_of(self, logits_KXYZ: torch.Tensor) -> torch.Tensor:
        """1 in the brain, (X, Y, Z)."""
        return (logits_KXYZ[0] > 0).long()
