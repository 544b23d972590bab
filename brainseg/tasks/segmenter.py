"""How the segmenter is trained and scored."""

import torch

from brainseg.images.labels import classes_with
from brainseg.losses import deeply_supervised
from brainseg.tasks import volumes
from brainseg.tasks.base import TaskModule
from brainseg.trained.base import Batch
from brainseg.trained.segmenter import SegmenterModel


class Segmenter(TaskModule, SegmenterModel):
    """The segmenter in training."""

    @property
    def preview_classes(self) -> tuple[str, ...]:  # type: ignore[override]
        return classes_with(cavity=self.config.cavity)

    def make_scores(self) -> volumes.RegionDices:
        return volumes.RegionDices(self.region_members)

    def training_loss(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logits = self(x, self._random_sequences(len(x)))
        if self.config.deep_supervision:
            return deeply_supervised(self.loss, logits, target)
        loss: torch.Tensor = self.loss(logits, target)
        return loss

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[dict[str, float | str]] = []

    def score(self, batch: Batch, part: str) -> None:
        self.scored += volumes.score_scans(self, batch, part)

    def case_scores(self) -> list[dict[str, float | str]]:
        return self.scored

    def _random_sequences(self, n: int) -> torch.Tensor | None:
        """Which sequences each of n training patches may show, (n, C): all, or one of the subsets."""
        if not self.subsets:
            return None
        every = list(self.config.preprocess.modalities)
        chosen = torch.randint(len(self.subsets), (n,)).tolist()
        part = (torch.rand(n) < self.config.subset_share).tolist()
        rows = [self.subsets[k] if small else every for k, small in zip(chosen, part, strict=True)]
        return torch.cat([self.presence(row) for row in rows])
