"""How the skull stripper is trained and scored."""

from brainseg.tasks import volumes
from brainseg.tasks.base import TaskModule
from brainseg.trained.base import Batch
from brainseg.trained.skullstripper import SkullStripperModel


class SkullStripper(TaskModule, SkullStripperModel):
    """The skull stripper in training."""

    preview_classes = ("background", "brain")

    def make_scores(self) -> volumes.RegionDices:
        return volumes.RegionDices(self.region_members)

    def start_scoring(self, part: str) -> None:
        super().start_scoring(part)
        self.scored: list[dict[str, float | str]] = []

    def score(self, batch: Batch, part: str) -> None:
        self.scored += volumes.score_scans(self, batch, part)

    def case_scores(self) -> list[dict[str, float | str]]:
        return self.scored
