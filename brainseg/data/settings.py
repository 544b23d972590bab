"""The settings that all data sets take."""

from dataclasses import dataclass

from brainseg.data.loading import worker_count
from brainseg.data.splits import SplitRule


@dataclass(frozen=True)
class DataSettings:
    """What every data set has under `data.*`, each field by its own name.

    The values are in conf/data_shared.yaml.

    Args:
        cache: Folder for what is prepared once.
        seed: Draws the split, the order of the training samples and their random changes.
        workers: Loader processes, or "auto".
        val_share, test_share, folds, fold: See SplitRule.
        skip_bad: Leave unusable files out, named, instead of refusing to start.
        groups: A table that says what is of one patient: `groups.read_groups`. None: there is none.

    Raises:
        ConfigError: A value is out of bounds.
    """

    cache: str
    seed: int
    workers: int | str
    val_share: float
    test_share: float
    folds: int | None = None  # the configs of some earlier runs lack these three
    fold: int = 0
    skip_bad: bool = False
    groups: str | None = None

    def __post_init__(self) -> None:
        _ = self.rule
        worker_count(self.workers)

    @property
    def rule(self) -> SplitRule:
        """How subjects are divided."""
        return SplitRule(self.val_share, self.test_share, self.folds, self.fold, self.seed)
